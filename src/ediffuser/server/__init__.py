"""The web editor's server: uploads, jobs, live events, results, and the page itself."""
