"""HTTP calls to model servers: which is asked, how long, when again, and what its reply says."""

from chatd.gathering import Gathering as Gathering
from chatd.gathering import is_count as is_count
from chatd.gathering import is_word as is_word
from chatd.gathering import mended as mended
from chatd.gathering import plain as plain
from chatd.instances import InstanceSchema as InstanceSchema
from chatd.pool import Server as Server
from chatd.upstream.answer import Answer as Answer
from chatd.upstream.calls import Upstream as Upstream
from chatd.upstream.prompting import VERSION as VERSION
from chatd.upstream.prompting import alternating as alternating
from chatd.upstream.prompting import json_schema as json_schema
from chatd.upstream.prompting import stops as stops
from chatd.upstream.prompting import versioned as versioned
from chatd.upstream.reply import EventReply as EventReply
from chatd.upstream.reply import Reply as Reply
from chatd.upstream.serving import ServerProvider as ServerProvider
from chatd.upstream.sparing import Sparing as Sparing
