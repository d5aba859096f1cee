"""The routes of the caller: signing in and out, numbers, search (PROTOCOL section 3)."""

from __future__ import annotations

from chatd import errors
from chatd.contract.operation import CURSOR, IS_ACTIVE, LIMIT, SEARCHED, Answer, Operation

USER = Answer(about="The caller.", schema="User")

CALLER_OPERATIONS = [
    Operation(
        method="POST",
        path="sign_in/",
        id="signIn",
        tag="Caller",
        title="Sign in",
        about="With the ticket that `chatd serve` prints, or with what an authentication plugin"
        " takes.",
        body="credentials",
        answers={200: Answer(about="A token.", schema="SignedIn")},
        errors=(errors.Unauthenticated, errors.RateLimited, errors.StoreUnavailable),
        is_public=True,
    ),
    Operation(
        method="POST",
        path="sign_out/",
        id="signOut",
        tag="Caller",
        title="Revoke the token used",
        body="nothing",
        answers={204: Answer(about="It is revoked.")},
    ),
    Operation(
        method="POST",
        path="ws_ticket/",
        id="createSocketTicket",
        tag="Caller",
        title="Get a ticket for one socket",
        about="For clients whose URLs might be logged: it works once.",
        body="nothing",
        answers={200: Answer(about="The ticket.", schema="SocketTicket")},
    ),
    Operation(
        method="GET",
        path="me/",
        id="getMe",
        tag="Caller",
        title="Read the caller",
        answers={200: USER},
    ),
    Operation(
        method="PATCH",
        path="me/",
        id="updateMe",
        tag="Caller",
        title="Change own preferences",
        about="They merge; null removes one.",
        body="me",
        answers={200: USER},
    ),
    Operation(
        method="GET",
        path="health/stats/",
        id="getStats",
        tag="Caller",
        title="Read own numbers",
        answers={200: Answer(about="The numbers.", schema="Stats")},
    ),
    Operation(
        method="GET",
        path="search/",
        id="search",
        tag="Caller",
        title="Search own messages",
        about="Finds messages, of all branches, in which every word of `q` occurs, also as it is "
        "written with other accents or in another case. Words that stand together without a space, "
        "such as `e-mail`, must do so in the message. Punctuation means nothing.",
        parameters=(SEARCHED, IS_ACTIVE, LIMIT, CURSOR),
        answers={
            200: Answer(about="A page of messages, the best match first.", schema="SearchPage")
        },
    ),
]
