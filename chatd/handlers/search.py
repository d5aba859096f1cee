"""Search over REST."""

from __future__ import annotations

from chatd.errors import InvalidInput
from chatd.handlers.base import BaseHandler
from chatd.handlers.sessions import ACTIVE
from chatd.search import search
from chatd.words import phrases

LONGEST_QUERY = 10_000  # characters
# A phrase costs SQLite its length times how often its words occur: 10,000 words took two minutes.
MOST_WORDS = 256


class SearchHandler(BaseHandler):
    """What the caller and the models have said."""

    async def get(self) -> None:
        """Find messages that have all words of `q`, the best match first."""
        query = self.get_query_argument("q", "")
        if not query.strip():
            raise InvalidInput("q is missing.", errors={"q": ["Missing or blank."]})
        if len(query) > LONGEST_QUERY:
            sentence = f"Longer than {LONGEST_QUERY} characters."
            raise InvalidInput("q is too long.", errors={"q": [sentence]})
        if sum(map(len, phrases(query))) > MOST_WORDS:
            sentence = f"More than {MOST_WORDS} words, or characters of a script without spaces."
            raise InvalidInput("q is too long.", errors={"q": [sentence]})
        page = await search(
            self.app.store,
            self.user,
            query,
            is_active=self.query_choice("is_active", ACTIVE, True),
            limit=self.query_limit(),
            cursor=self.get_query_argument("cursor", ""),
        )
        links = self.links("q", "is_active", next=page.next, previous=page.previous)
        self.send_page(page.results, links)
