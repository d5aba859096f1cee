"""What model servers tell about their models, in OpenAI's list and beside it.

A provider of an OpenAI-compatible API gives the list that its server sent to `listed`, and what
that returns to its Discovery, which asks the server's own API for what the list leaves open.
"""

from chatd.discovery.asking import Discovery as Discovery
from chatd.discovery.facts import CAPABILITIES as CAPABILITIES
from chatd.discovery.facts import Facts as Facts
from chatd.discovery.facts import listed as listed
from chatd.discovery.facts import offered as offered
from chatd.discovery.natives import anthropic as anthropic
from chatd.discovery.natives import ollama_names as ollama_names
