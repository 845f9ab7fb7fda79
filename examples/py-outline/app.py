"""`outline`: a tool in Python. It asks for nothing, and its grant gives nothing.

    writ run outline.wasm --call headings --args '["# Title\\n\\ntext\\n\\n## Part"]'
"""

import re

from wit_world import exports
from wit_world.exports.outline import Heading

HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")


class Outline(exports.Outline):
    def headings(self, markdown: str) -> list[Heading]:
        found = []
        in_code = False
        for number, line in enumerate(markdown.splitlines(), start=1):
            if line.startswith("```"):
                in_code = not in_code
            match = None if in_code else HEADING.match(line)
            if match:
                found.append(Heading(level=len(match[1]), text=match[2], line=number))
        return found
