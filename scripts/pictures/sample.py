"""A plugin for pictures of the page: models that give prepared answers."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator

import chatd

TOKEN = re.compile(r"\s*\S+|\s+")

THINKING = """\
The question is about ranking within groups. `GROUP BY` would lose the rows, a correlated subquery \
would read the table once for each. A window function keeps both."""

WINDOWS = """\
A **window function** computes over the rows around each row, and keeps them all. For the best \
paid people of each team, rank them first and filter outside:

```sql
SELECT name, team, salary
FROM (
    SELECT *, rank() OVER (PARTITION BY team ORDER BY salary DESC) AS place
    FROM employees
) AS ranked
WHERE place <= 3;  -- ties share a place
```

| function | on a tie | after it |
|---|---|---:|
| `row_number()` | picks one | 2, 3 |
| `rank()` | same place | 1, 3 |
| `dense_rank()` | same place | 1, 2 |

An index on `(team, salary DESC)` saves the sort: what is left is $O(n)$ instead of $O(n \\log n)$.
"""

AVERAGE = """\
Leave the order away, and the window is the whole team:

$$ d_i = s_i - \\frac{1}{|T|} \\sum_{j \\in T} s_j $$

```sql
SELECT name, salary - avg(salary) OVER (PARTITION BY team) AS above
FROM employees;
```

1. `avg` is computed once for each team.
2. Every row keeps its own salary.
3. Sort by `above` to find who earns most *beside their colleagues*.
"""

OTHERS = """\
Gladly. Three things make the difference: **begin small**, keep what works, and measure before you \
change the rest.
"""


class Prepared(chatd.Provider):
    """Three models, none of which thinks."""

    name = "ollama"

    async def models(self) -> list[chatd.ModelInfo]:
        """Return models that people know."""
        names = ("qwen3:8b", "gemma3:12b", "llama3.3:70b")
        return [
            chatd.ModelInfo(name=name, context_length=32_768, capabilities=("completion",))
            for name in names
        ]

    async def stream(self, prompt: chatd.Prompt) -> AsyncGenerator[chatd.Chunk | str, None]:
        """Yield the answer to a question that is known, or the other one."""
        question = prompt.messages[-1].content
        text, pause = OTHERS, 0.0
        if "best paid" in question:
            text = WINDOWS
            yield chatd.Reasoning(text=THINKING)
        elif "average" in question:
            text, pause = AVERAGE, 0.03
        words = TOKEN.findall(text)
        for word in words:
            await asyncio.sleep(pause)
            yield word
        asked = sum(len(TOKEN.findall(message.content)) for message in prompt.messages)
        total = asked + len(words)
        yield chatd.Usage(prompt_tokens=asked, completion_tokens=len(words), total_tokens=total)
        yield chatd.Finish(reason="stop")


@chatd.hookimpl
def register_providers(app: chatd.App) -> list[chatd.Provider]:
    """Return the one provider."""
    return [Prepared()]
