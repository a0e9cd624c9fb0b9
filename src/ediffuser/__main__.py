"""`python -m ediffuser` is `ediffuser`; so `torchrun -m ediffuser` starts several of it."""

from ediffuser.cli import main

if __name__ == "__main__":
    main()
