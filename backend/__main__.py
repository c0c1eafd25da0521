"""The ``trainboard`` command: serve, train, models add, lint."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from backend import cli, lint, serve
from backend.errors import ApiError, explain
from backend.settings import Settings
from backend.version import VERSION

COMMANDS = ("serve", "train", "models", "lint")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status. ``serve`` is meant where none is named."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] not in (*COMMANDS, "-h", "--help", "--version"):
        given.insert(0, "serve")
    options = _parser().parse_args(given)
    if options.command == "lint":
        return lint.lint(options.path)
    try:
        settings = _settings(options)
        if options.command == "serve":
            return serve.serve(settings)
        if options.command == "train":
            return cli.train(settings, options)
        return cli.add_model(settings, options.path)
    except ApiError as error:
        print(f"trainboard: {error.detail.message}", *filter(None, [error.detail.hint]), sep="\n", file=sys.stderr)
    except ValidationError as error:
        detail = explain(error.errors()[0])
        print(f"trainboard: {detail.message}", *filter(None, [detail.hint]), sep="\n", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="trainboard", description="Launch, watch and try the training of language models.")
    parser.add_argument("--version", action="version", version=f"trainboard {VERSION}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--data-dir", metavar="FOLDER", help="where runs, datasets and models are kept")
    commands = parser.add_subparsers(dest="command", required=True, metavar="serve | train | models | lint")
    server = commands.add_parser("serve", parents=[common], help="start the server and the page (the default)")
    server.add_argument("--host", help="address to listen on (127.0.0.1)")
    server.add_argument("--port", type=int, help="port to listen on (8000); 0 picks a free one")
    cli.add_train_flags(commands.add_parser("train", parents=[common], help="train here in the terminal, without a server"))
    models = commands.add_parser("models", help="the models directory").add_subparsers(dest="action", required=True)
    add = models.add_parser("add", parents=[common], help="copy a model's folder or .gguf file into the models directory")
    add.add_argument("path", type=Path)
    told = commands.add_parser("lint", help="say what is wrong with a training run, from its log", description=lint.__doc__)
    told.add_argument("path", type=Path, metavar="FILE", help="the log, or the folder that it lies in")
    return parser


def _settings(options: argparse.Namespace) -> Settings:
    """Flags over environment over defaults."""
    names = ("host", "port", "data_dir")
    return Settings(**{name: value for name in names if (value := getattr(options, name, None)) is not None})


if __name__ == "__main__":
    sys.exit(main())
