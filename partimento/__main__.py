"""The same as the command `partimento`: `python -m partimento`."""

from partimento.cli import main

if __name__ == "__main__":
    main()
