"""A verb of the command line: its usage in plain words, its examples, its place among the others.

What a verb is for, in one line, what else to know, and its examples stand in the docstring of its
function, beside what it does. Below a line that says so, an example is two lines: `# what it shows`
and the command. Help and docs/reference.md are made from it; tests/cli/test_examples.py runs it.
"""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from tokenergy.cli.exits import Exit
from tokenergy.cli.told import outputs_may_end

BEGINS: Final = "Examples:"
"""The line of a docstring below which its examples stand."""
PROGRAM: Final = "tokenergy"
LONGEST: Final = 60
"""Letters of help beside a completion."""
HELP: Final = ("-h", "--help")


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A command as somebody would type it, and what it is for."""

    says: str
    command: str


class Verb(TyperCommand):
    """One verb.

    Attributes:
        examples: in the order of the docstring.
    """

    examples: tuple[Example, ...]

    def __init__(self, *given: Any, help: str | None = None, **more: Any) -> None:
        """Take the examples out of the text of the help."""
        text, self.examples = told_and_examples(help or "")
        super().__init__(*given, help=text, **more)

    @property
    def line(self) -> str:
        """The first paragraph of its text, in one line: what it is for."""
        return " ".join((self.help or "").split("\n\n")[0].split())

    @property
    def more(self) -> str:
        """Whatever the text says beyond the first paragraph, in one line."""
        return " ".join(" ".join((self.help or "").split("\n\n")[1:]).split())

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Name what is needed as it is, and what may be left out in brackets."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def usage(self, ctx: Any) -> str:
        """Return how it is typed, in one line."""
        return " ".join([ctx.command_path, *self.collect_usage_pieces(ctx)])

    def rows(self, ctx: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """Return its arguments and its options, each with what it is."""
        arguments, options = [], []
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is None:
                continue
            if parameter.param_type_name == "argument":
                arguments.append((record[0].split(" <")[0], record[1]))
            else:
                options.append(record)
        return arguments, options

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options, without what Python calls their types."""
        for title, rows in zip(("Arguments", "Options"), self.rows(ctx), strict=True):
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples, to be copied."""
        if self.examples:
            formatter.write("\nExamples:\n")
            for example in self.examples:
                formatter.write(f"  # {example.says}\n  {example.command}\n")

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return what may stand next, each with a few words."""
        return shortened(super().shell_complete(ctx, incomplete))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words; of what is needed and missing, all is told at once."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            if type(error).__name__ != "MissingParameter":  # typer has no public name for it
                raise
            known, _, _ = self.make_parser(ctx).parse_args(args=given)
            lost = [each for each in self.params if each.required and not known.get(each.name)]
            fail: Callable[[str], NoReturn] = ctx.fail
            fail(f"{' and '.join(map(_typed, lost))} must be given")


class VerbGroup(TyperGroup):
    """The command with all its verbs, which help lists by what they are for."""

    def make_context(self, *given: Any, **more: Any) -> Any:
        """Read the words; whoever reads the help may leave before its end."""
        with outputs_may_end():
            return super().make_context(*given, **more)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take `help VERB` for `VERB --help`, and nothing at all for `--help`."""
        for option in self.get_params(ctx):
            if getattr(option, "is_flag", False) and option.default is None:
                option.default = False  # a flag of typer's own: to read None it loads pydantic
        if args[:1] == ["help"]:
            args = [*args[1:], HELP[-1]]
        if not args and not ctx.resilient_parsing:
            typer.echo(ctx.get_help())
            ctx.exit(Exit.INPUT)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run a verb; whoever reads what it prints may leave before its end."""
        with outputs_may_end():
            value = super().invoke(ctx)
            sys.stdout.flush()
            return value

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return what may stand next, each with a few words."""
        return shortened(super().shell_complete(ctx, incomplete))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the verbs first: they are what somebody looks for."""
        self.format_commands(ctx, formatter)
        rows = filter(None, (option.get_help_record(ctx) for option in self.get_params(ctx)))
        with formatter.section("Options"):
            formatter.write_dl(list(rows))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the verbs by group, each with the whole of its line."""
        verbs: list[Any] = [verb for verb in self.commands.values() if not verb.hidden]
        width = max(len(str(verb.name)) for verb in verbs)
        for group in dict.fromkeys(verb.rich_help_panel for verb in verbs):
            mine = [verb for verb in verbs if verb.rich_help_panel == group]
            with formatter.section(group):
                formatter.write_dl([(f"{verb.name!s:<{width}}", verb.line) for verb in mine])


def told_and_examples(text: str) -> tuple[str, tuple[Example, ...]]:
    """Split a docstring into what it tells and its examples.

    Raises:
        ValueError: if a line of the examples is neither `# what it shows` nor a command below one.
    """
    told, _, below = text.partition(f"\n{BEGINS}\n")
    examples: list[Example] = []
    says = ""
    for line in filter(None, (line.strip() for line in below.splitlines())):
        if line.startswith("# "):
            says = line.removeprefix("# ")
        elif says and line.startswith(f"{PROGRAM} "):
            examples.append(Example(says=says, command=line))
            says = ""
        else:
            raise ValueError(f"{line!r} is no example: write '# what it shows', then the command")
    return told.strip(), tuple(examples)


def shortened(items: list[Any]) -> list[Any]:
    """Cut the help of completions to a few words in one line: fish takes a second for a word."""
    for item in items:
        words = re.split(r"[.;:] ", " ".join((item.help or "").split()))[0].rstrip(".")
        item.help = words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."
    return items


def _typed(parameter: Any) -> str:
    """Return what somebody types for a parameter: --its-name, or what usage calls it."""
    is_option = parameter.param_type_name == "option"
    return str(parameter.opts[0] if is_option else parameter.metavar)
