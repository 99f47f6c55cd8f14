"""`python -m daag.cli` is `daag`."""

from daag.cli import main

if __name__ == "__main__":
    main()
