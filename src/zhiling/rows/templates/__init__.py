"""Templates: a labelled example ⇄ instruction rows, worded by data files, one a task, in English and Chinese.

    from zhiling.rows.templates import Example, Library, Listing, Setting, Turn, render, reading

    library = Library()
    example = Example("classification", [Turn("user", "my card is lost")], Labels(labels=["card"]))
    row = render(example, library.get("classification/en/pick"), Setting(Listing(("card", "parcel"))))
    reading([text for _, text in row.messages], json.loads(row.target), library).parse("card")

What a reply tells comes back exactly: values stand plainly where one reading is possible and as JSON
strings elsewhere; a place is the first occurrence by rule, or marked with the number of the occurrence.
"""

from zhiling.rows.templates.example import Example, Turn
from zhiling.rows.templates.library import Library, builtin, read_files
from zhiling.rows.templates.names import Listing, Names, read_names
from zhiling.rows.templates.read import Reading, reading
from zhiling.rows.templates.render import Rendered, Setting, render
from zhiling.rows.templates.spelling import Unparsed
from zhiling.rows.templates.view import Unfit
from zhiling.rows.templates.wording import Wording

__all__ = [
    "Example",
    "Library",
    "Listing",
    "Names",
    "Reading",
    "Rendered",
    "Setting",
    "Turn",
    "Unfit",
    "Unparsed",
    "Wording",
    "builtin",
    "read_files",
    "read_names",
    "reading",
    "render",
]
