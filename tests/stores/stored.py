"""What tests put into a store: what the contract for authors of stores puts there."""

from chatd.testing.storing import ALICE as ALICE
from chatd.testing.storing import BOB as BOB
from chatd.testing.storing import a_question as a_question
from chatd.testing.storing import a_session as a_session
from chatd.testing.storing import a_slot as a_slot
from chatd.testing.storing import a_turn as a_turn
from chatd.testing.storing import add as add
from chatd.testing.storing import an_answer as an_answer
from chatd.testing.storing import begin as begin
from chatd.testing.storing import finish as finish
