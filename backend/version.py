"""The version of this Trainboard."""

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("trainboard")
except PackageNotFoundError:  # run from a checkout that was never installed
    VERSION = "0+unknown"
