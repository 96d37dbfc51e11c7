"""The command line: one verb per arrow of the flow, and what every verb does with an error.

Nothing here imports torch, pandas, scikit-learn or plotly before a command line has been found
right: what those take seconds to load for must be worth it.
"""

import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

import timeloom
from timeloom.cli import (
    adapt,
    advise,
    bench,
    compare,
    data,
    demo,
    evaluate,
    extend,
    fit,
    impute,
    influence,
    sample,
    score,
)
from timeloom.cli.messages import PACKAGE, leads, one_line, os_sentence, ours, problem

__all__ = ["app", "main"]

ISSUES = "https://github.com/timeloom/timeloom/issues"

# The class that every wrong command line raises. Typer carried it under several module names over
# its versions, but its BadParameter has always been a child of it.
_UsageError = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="timeloom",
    help="Generate labelled time-series windows from too little data, and say honestly whether "
    "that helped.",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("demo")(demo.demo)
app.command("data")(data.data)
app.command("advise")(advise.advise)
app.command("fit")(fit.fit)
app.command("adapt")(adapt.adapt)
app.command("sample")(sample.sample)
app.command("impute")(impute.impute)
app.command("extend")(extend.extend)
app.command("score")(score.score)
app.command("influence")(influence.influence)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("bench")(bench.bench)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command line.

    Args:
        arguments: What follows the program's name; the process's own where None.

    Returns:
        The exit status. 0: done. 2: the user's input is wrong, and one sentence on stderr says
        how. 3: a gate of ``evaluate`` does not hold. 130: stopped by Ctrl-C. 1: anything else.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    with warnings.catch_warnings():
        if not debug:
            warnings.showwarning = _show_warning
        try:
            status = app(arguments, standalone_mode=False, prog_name="timeloom", obj=arguments)
            return status if isinstance(status, int) else 0
        except Exception as error:
            if debug:
                traceback.print_exc()
            return _explain(error, debug)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Print tracebacks of errors.")] = False,
) -> None:
    if version:
        typer.echo(f"timeloom {timeloom.__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _explain(error: Exception, debug: bool) -> int:
    """Says on stderr what went wrong; gives the exit status."""
    if isinstance(error, _UsageError):
        problem(_usage_sentence(error))
        return 2
    if isinstance(error, typer.Abort):
        return 130
    if isinstance(error, BrokenPipeError):  # `timeloom data | head`: the reader has enough
        sys.stdout = open("/dev/null", "w") if Path("/dev/null").exists() else sys.__stdout__
        return 1
    if isinstance(error, OSError):
        problem(os_sentence(error))
        return 2
    if isinstance(error, ValueError) and ours(error):
        problem(one_line(str(error)))
        return 2
    problem(
        f"an error inside timeloom: {type(error).__name__}: {one_line(str(error))}"
        + ("" if debug else f" (run it again with --debug and report the traceback at {ISSUES})")
    )
    return 1


def _usage_sentence(error: Any) -> str:
    """What is wrong with a command line, and where to read how it should be."""
    context = getattr(error, "ctx", None)
    verb = context.command_path if context is not None else "timeloom"
    sentence = one_line(error.format_message()).removesuffix(".")
    return f"{sentence[0].lower()}{sentence[1:]} ({verb} --help shows how it is used)"


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, *rest: object
) -> None:
    """One line for a warning of ours; those among libraries tell the user nothing."""
    if leads() and issubclass(category, UserWarning) and filename.startswith(PACKAGE):
        print(f"timeloom: warning: {one_line(str(message))}", file=sys.stderr)
