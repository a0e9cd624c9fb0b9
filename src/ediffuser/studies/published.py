"""The rows of the dissertation's chapter 4 and appendix C.1, as printed there.

The first DDPM32 of Table 4.1 is Ho et al.'s, the one below it the dissertation's own. NLL is in bits/dim; speed is the
seconds of 64 pictures of CIFAR-10 or 36 of CelebA-HQ, on a machine that is not named.
"""

from collections.abc import Mapping
from dataclasses import dataclass

_PRINTED = """
4.1 DDPM32 compared to other methods
Model | IS | FID | NLL | Speed
Gated PixelCNN | 4.60 | 65.93 | 3.03 |
PixelIQN | 5.29 | 49.46 |  |
EBM | 6.78 | 38.2 |  |
NCSN | 8.87±.12 | 25.32 |  |
SNGAN | 8.22 | 21.7 |  |
SNGAN-DDLS | 9.09 | 15.42 |  |
NCSNv2 | 8.40±.07 | 10.87 |  |
StyleGAN2 + ADA [27] | 9.74 | 3.26 |  |
DDPM32 | 9.46±.11 | 3.17 | 3.75 | 22
 | 9.47±.10 | 3.175 | 3.747 | 21

4.2 DDIM32 metrics
T | IS | FID | NLL | Speed
1000 | 9.47 | 3.175 | 3.747 | 21
100 | 8.91 | 5.741 | 4.943 | 4
50 | 8.77 | 7.136 | 5.529 | 3
25 | 8.51 | 9.504 | 6.171 | 2

4.4 LVDDPM32LinSim metrics
T | IS | FID | NLL | Speed
4000 | 9.30 | 3.190 | 3.399 | 146
100 | 8.56 | 46.94 | 5.057 | 4
50 | 5.92 | 89.80 | 5.667 | 3
25 | 2.97 | 170.4 | 6.334 | 2

4.5 LVDDPM32Sim metrics
T | IS | FID | NLL | Speed
4000 | 9.37 | 3.064 | 3.256 | 143
100 | 9.65 | 25.46 | 4.622 | 4
50 | 8.20 | 52.61 | 5.159 | 2
25 | 5.01 | 108.3 | 5.797 | 2

4.6 LVDDPM321k
T | IS | FID | NLL | Speed
1000 | 9.36 | 3.544 | 3.316 | 36
100 | 9.38 | 3.800 | 4.078 | 4
50 | 9.23 | 4.832 | 5.199 | 2
25 | 8.91 | 7.621 | 8.658 | 2

4.7 LVDDPM32
T | IS | FID | NLL | Speed
4000 | 9.40 | 3.056 | 3.209 | 146
100 | 9.38 | 3.626 | 5.264 | 4
50 | 9.27 | 4.958 | 8.390 | 3
25 | 8.85 | 9.492 | 17.44 | 2

4.8 VPSDE32
NFE | IS | FID | NLL | Speed
1000 | 9.637 | 2.446 | 2.991 | 67

4.9 VPSDE32 - ODE (RK45)
Tol | NFE | IS | FID | NLL | Speed
1e-3 | 80 | 9.444 | 2.827 | 3.146 | 17
1e-2 | 62 | 9.686 | 2.886 | 3.831 | 14
2e-2 | 50 | 10.09 | 14.56 | 4.727 | 13

4.10 VPSDE32 - ODE (RK23)
Tol | NFE | IS | FID | NLL | Speed
1e-3 | 62 | 9.547 | 2.897 | 3.443 | 15
1e-2 | 41 | 9.438 | 4.481 | 3.715 | 13
2e-2 | 35 | 9.484 | 4.899 | 3.977 | 10

4.11 VPSDE32 - ODE (DOP853)
Tol | NFE | IS | FID | NLL | Speed
1e-3 | 120 | 9.526 | 2.798 | 3.262 | 20
1e-2 | 62 | 9.453 | 3.660 | 3.740 | 15
2e-2 | 50 | 9.639 | 20.85 | 4.960 | 14

4.12 VPSDE32 - ODE (DPMsolver)
Tol | NFE | IS | FID | NLL | Speed
1e-2 | 48 | 9.496 | 2.818 | 3.360 | 14
5e-2 | 36 | 9.517 | 2.945 | 3.385 | 12
1e-1 | 27 | 9.579 | 3.053 | 3.505 | 10

4.13 DDIM32Colour
T | IS | FID | NLL | Speed
1000 | 10.94 | 0.618 | 2.589 | 23
100 | 10.70 | 1.461 | 4.290 | 3
50 | 10.55 | 1.785 | 5.013 | 2
25 | 10.56 | 2.080 | 5.768 | 1

4.15 LVDDPM321kColour
T | IS | FID | NLL | Speed
1000 | 10.77 | 0.764 | 1.760 | 36
100 | 10.66 | 1.154 | 2.551 | 4
50 | 10.68 | 1.458 | 3.285 | 2
25 | 10.58 | 1.848 | 4.954 | 2

4.16 LVDDPM32Colour
T | IS | FID | NLL | Speed
4000 | 10.84 | 0.602 | 1.669 | 145
100 | 10.75 | 1.148 | 3.893 | 4
50 | 10.60 | 1.461 | 7.038 | 2
25 | 10.60 | 1.804 | 13.31 | 2

4.17 VPSDE32Colour
Method | NFE | IS | FID | NLL | Speed
Euler-Maruyama | 1000 | 10.26 | 6.308 | 3.916 | 70
Probability Flow | 1000 | 9.48 | 7.427 | 2.133 | 77
DPMsolver | 26 | 8.92 | 9.832 | 2.453 | 12

4.18 DDIM256 Results
T | IS | FID | NLL | Speed
1000 | 2.89 | 6.713 | 1.97 | 463
100 | 3.15 | 13.05 | 3.18 | 48
50 | 3.17 | 13.67 | 4.88 | 24
25 | 3.10 | 17.21 | 9.06 | 13

4.19 DDPM256LV
T | IS | FID | NLL | Speed
1000 | 2.91 | 6.409 | 1.571 | 483
100 | 2.86 | 7.205 | 2.781 | 49
75 | 2.80 | 8.385 | 3.184 | 37
50 | 2.81 | 9.174 | 3.872 | 25
25 | 2.78 | 13.92 | 6.943 | 13

4.20 LVDDPM256 vs Recent Literature
Model | FID
StyleSwin (2022) | 3.25
WaveDiff (2022) | 5.94
UNCSN++ (2021) | 7.16
LSGM (2021) | 7.22
DDGAN (2021) | 7.64
VQGAN (2020) | 10.2
DDPM256 | 6.71
LVDDPM256 | 6.41

4.21 DDIM256Inpaint
T | IS | FID | NLL | Speed
1000 | 3.59 | 0.248 | 5.102 | 464
100 | 3.57 | 0.301 | 11.52 | 47
50 | 3.56 | 0.342 | 24.09 | 24
25 | 2.95 | 0.508 | 62.12 | 12

4.22 LVDDPM256Inpaint
T | IS | FID | NLL | Speed
1000 | 3.551 | 0.236 | 4.772 | 469
100 | 3.498 | 0.284 | 5.868 | 49
75 | 3.435 | 0.305 | 6.211 | 37
50 | 3.561 | 0.322 | 6.797 | 25
25 | 3.412 | 0.476 | 8.522 | 13

4.23 Inpainting Comparison
Method | FID
MADF (2021) | 10.43
AOT GAN (2021) | 9.64
DeepFill v2 (2019) | 5.69
EdgeConnect (2019) | 5.24
LaMa (2021) | 3.98
MAT (2022) | 2.94
LVDDPM | 0.236
LVDDPM (25) | 0.476

5.1 LVDDPM32LinSimColour
T | IS | FID | NLL | Speed
4000 | 10.82 | 0.746 | 2.078 | 159
25 | 6.438 | 96.16 | 5.990 | 2
50 | 9.794 | 56.25 | 5.208 | 2
100 | 11.46 | 30.35 | 4.458 | 4

5.2 LVDDPM32SimColour
T | IS | FID | NLL | Speed
4000 | 10.86 | 0.656 | 1.888 | 144
25 | 9.928 | 55.94 | 5.386 | 2
50 | 11.53 | 29.84 | 4.600 | 2
100 | 11.89 | 12.68 | 3.894 | 4
"""


@dataclass(frozen=True)
class PublishedTable:
    """A table of the dissertation.

    Attributes:
        number: Such as "4.7".
        title: Its caption.
        columns: Names of the columns; the first says which row it is.
        rows: The entries as printed, as many as there are columns; "" where there is none.
    """

    number: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def row(self, first: str) -> dict[str, str]:
        """The row with this first entry, by column.

        Raises:
            KeyError: If there is none.
        """
        found = next((row for row in self.rows if row[0] == first), None)
        if found is None:
            raise KeyError(f"Table {self.number} has no row '{first}'")
        return dict(zip(self.columns, found, strict=True))


def _parsed(text: str) -> PublishedTable:
    caption, header, *lines = text.split("\n")
    number, _, title = caption.partition(" ")
    columns = tuple(header.split(" | "))
    rows = [tuple(entry.strip() for entry in line.split("|")) for line in lines]
    return PublishedTable(number, title, columns, tuple((*row, *("",) * (len(columns) - len(row))) for row in rows))


PUBLISHED: Mapping[str, PublishedTable] = {
    table.number: table for table in map(_parsed, _PRINTED.strip("\n").split("\n\n"))
}
"""By number."""
