"""`python -m netcli`."""

from netcli.cli.main import main

if __name__ == "__main__":
    main()
