"""A client of a chatd server, for programs in Python.

    async with chatd.client.connect("http://localhost:8000", token=...) as client:
        session = await client.sessions.create(title="Hello")
        async with client.chat(session.id) as chat:
            async for event in chat.send("Hello"):
                if isinstance(event, chatd.client.Text):
                    print(event.content, end="")

It imports nothing of the server. Errors the server tells are those of chatd.errors; what it could
not tell is a ClientError. `chatd.client.blocking` is the same for programs without an event loop.
"""

from chatd.client.answers import Accepted as Accepted
from chatd.client.answers import Counted as Counted
from chatd.client.answers import Found as Found
from chatd.client.answers import Health as Health
from chatd.client.answers import Reply as Reply
from chatd.client.answers import SignedIn as SignedIn
from chatd.client.answers import Synced as Synced
from chatd.client.answers import Ticket as Ticket
from chatd.client.chat import ChatSession as ChatSession
from chatd.client.client import Client as Client
from chatd.client.client import connect as connect
from chatd.client.errors import ClientError as ClientError
from chatd.client.errors import Closed as Closed
from chatd.client.errors import OutboxFull as OutboxFull
from chatd.client.errors import TurnFailed as TurnFailed
from chatd.client.errors import Unreachable as Unreachable
from chatd.client.errors import Withdrawn as Withdrawn
from chatd.client.events import Complete as Complete
from chatd.client.events import Connected as Connected
from chatd.client.events import Disconnected as Disconnected
from chatd.client.events import Ended as Ended
from chatd.client.events import Event as Event
from chatd.client.events import Failed as Failed
from chatd.client.events import GenerationEnded as GenerationEnded
from chatd.client.events import GenerationStarted as GenerationStarted
from chatd.client.events import MessageUpdated as MessageUpdated
from chatd.client.events import Reasoning as Reasoning
from chatd.client.events import Refused as Refused
from chatd.client.events import Reload as Reload
from chatd.client.events import SessionCreated as SessionCreated
from chatd.client.events import SessionDeleted as SessionDeleted
from chatd.client.events import SessionsLoaded as SessionsLoaded
from chatd.client.events import SessionUpdated as SessionUpdated
from chatd.client.events import Started as Started
from chatd.client.events import Text as Text
from chatd.client.events import ToolCall as ToolCall
from chatd.client.events import ToolResult as ToolResult
from chatd.client.events import UserMessage as UserMessage
from chatd.client.events import UserTyping as UserTyping
from chatd.client.follower import Follower as Follower
from chatd.client.link import Timing as Timing
from chatd.client.turn import Turn as Turn
from chatd.client.watch import SessionList as SessionList
from chatd.errors import ChatdError as ChatdError
