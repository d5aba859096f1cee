// Made by types.mjs from /api/openapi.json and /api/asyncapi.json. Do not edit.

export interface Contract {
AiMessageChunk: AiMessageChunk
AiMessageComplete: AiMessageComplete
AiReasoningChunk: AiReasoningChunk
AiToolCall: AiToolCall
AiToolResult: AiToolResult
AiTyping: AiTyping
Alive: Alive
Credentials: Credentials
EditMessage: EditMessage
EditMessageCommand: EditMessageCommand
Error: Error
FoundSession: FoundSession
GenerationEnded: GenerationEnded
GenerationStarted: GenerationStarted
Healthy: Healthy
ListGreeting: ListGreeting
ListPong: ListPong
LogHead: LogHead
Message: Message
MessageError: MessageError
MessageList: MessageList
MessageNumbers: MessageNumbers
MessageUpdated: MessageUpdated
Model: Model
ModelChanges: ModelChanges
ModelList: ModelList
ModelSettings: ModelSettings
NewPreset: NewPreset
NewSession: NewSession
NewSettings: NewSettings
Nothing: Nothing
Options: Options
Part: Part
PingCommand: PingCommand
Preferences: Preferences
Preset: Preset
PresetChanges: PresetChanges
PresetList: PresetList
Problem: Problem
ProviderReport: ProviderReport
Ready: Ready
Regenerate: Regenerate
RegenerateCommand: RegenerateCommand
ResumeCommand: ResumeCommand
RunningGeneration: RunningGeneration
SearchPage: SearchPage
SearchResult: SearchResult
SendMessage: SendMessage
SendMessageCommand: SendMessageCommand
Session: Session
SessionChanges: SessionChanges
SessionCreated: SessionCreated
SessionDeleted: SessionDeleted
SessionFromPreset: SessionFromPreset
SessionGreeting: SessionGreeting
SessionList: SessionList
SessionNumbers: SessionNumbers
SessionPong: SessionPong
SessionUpdated: SessionUpdated
Settings: Settings
SignedIn: SignedIn
SocketTicket: SocketTicket
Stats: Stats
StopGeneration: StopGeneration
StopGenerationCommand: StopGenerationCommand
StopTypingCommand: StopTypingCommand
Stopped: Stopped
SyncReport: SyncReport
TokenNumbers: TokenNumbers
TurnAccepted: TurnAccepted
TurnEnd: TurnEnd
TurnProblem: TurnProblem
TypingCommand: TypingCommand
TypingUser: TypingUser
Unhealthy: Unhealthy
Usage: Usage
User: User
UserChanges: UserChanges
UserMessage: UserMessage
UserPreferences: UserPreferences
UserTyping: UserTyping
}
export interface AiMessageChunk {
type: "ai_message_chunk"
generation_id: string
message_id: string
/**
 * The entry that it continues after; 0: clear what you have.
 */
prev: number
/**
 * The last entry that it holds.
 */
seq: number
/**
 * The new text.
 */
content: string
/**
 * The whole text; not with `chunks=delta`.
 */
full_content?: string
}
export interface AiMessageComplete {
type: "ai_message_complete"
message: Message
generation_id: string
}
export interface Message {
id: string
session_id: string
/**
 * Orders the messages of a session; never changes.
 */
seq: number
/**
 * Numbers the changes of a session's messages.
 */
revision: number
/**
 * The message before it in its branch.
 */
parent_id: (string | null)
role: ("system" | "user" | "assistant" | "tool")
content: string
/**
 * The reply in pieces when it is more than text.
 */
parts: Part[]
/**
 * Of a user's message: complete.
 */
status: ("complete" | "streaming" | "stopped" | "interrupted" | "error")
/**
 * The id of the model that answered.
 */
model: (string | null)
/**
 * The generation it belongs to.
 */
generation_id: (string | null)
/**
 * What the sender called it; makes a send repeatable.
 */
client_id: (string | null)
usage: (Usage | null)
/**
 * Why the model ended: stop, length, stopped, ...
 */
finish_reason: (string | null)
error: (MessageError | null)
created_at: string
updated_at: string
}
export interface Part {
type: ("text" | "reasoning" | "tool_call" | "tool_result")
text?: string
tool_call_id?: string
name?: string
/**
 * The JSON text that the model wrote.
 */
arguments?: string
result?: unknown
is_error?: boolean
}
export interface Usage {
prompt_tokens: number
completion_tokens: number
total_tokens: number
}
export interface MessageError {
/**
 * One of the error codes.
 */
code: string
message: string
/**
 * Whether the same again can succeed.
 */
retryable: boolean
}
export interface AiReasoningChunk {
type: "ai_reasoning_chunk"
generation_id: string
message_id: string
/**
 * The entry that it continues after; 0: clear what you have.
 */
prev: number
/**
 * The last entry that it holds.
 */
seq: number
content: string
}
export interface AiToolCall {
type: "ai_tool_call"
generation_id: string
message_id: string
/**
 * The entry that it continues after; 0: clear what you have.
 */
prev: number
/**
 * The last entry that it holds.
 */
seq: number
tool_call_id: string
name: string
/**
 * The JSON text that the model wrote.
 */
arguments: string
}
export interface AiToolResult {
type: "ai_tool_result"
generation_id: string
message_id: string
/**
 * The entry that it continues after; 0: clear what you have.
 */
prev: number
/**
 * The last entry that it holds.
 */
seq: number
tool_call_id: string
name: string
result: unknown
is_error: boolean
}
export interface AiTyping {
type: "ai_typing"
/**
 * For humans.
 */
message: string
generation_id: string
message_id: string
ai_message: Message
}
export interface Alive {
status: "ok"
}
export interface Credentials {
/**
 * The one that `chatd serve` printed, if not what an authentication plugin takes.
 */
ticket?: (string | null)
[k: string]: unknown
}
export interface EditMessage {
/**
 * The new text.
 */
content: string
/**
 * A name of the client's for this: with the same one again nothing happens twice.
 */
client_id?: (string | null)
}
export interface EditMessageCommand {
type: "edit_message"
/**
 * The text.
 */
message: string
/**
 * A name of the client's for this: with the same one again nothing happens twice.
 */
client_id?: (string | null)
/**
 * The message that is meant.
 */
message_id: string
}
export interface Error {
type: "error"
/**
 * A sentence that a user may read.
 */
message: string
/**
 * Stable: decide by this.
 */
code: ("internal" | "bad_request" | "invalid_input" | "unknown_event" | "unauthorized" | "forbidden" | "read_only" | "not_found" | "method_not_allowed" | "conflict" | "generation_running" | "session_deleted" | "precondition_failed" | "too_large" | "unsupported_media_type" | "rate_limited" | "too_many_generations" | "unavailable" | "model_unavailable" | "store_unavailable" | "broker_unavailable" | "shutting_down" | "provider_error" | "provider_timeout" | "provider_unavailable" | "provider_busy" | "provider_refused" | "provider_interrupted" | "generation_interrupted" | "prompt_failed")
/**
 * Whether the same again can succeed.
 */
retryable: boolean
/**
 * That of what failed.
 */
client_id?: string
/**
 * Of each wrong field, what is wrong; inner ones with dots.
 */
errors?: {
[k: string]: string[]
}
/**
 * In seconds.
 */
retry_after?: number
generation_id?: string
ai_message?: Message
}
export interface FoundSession {
id: string
title: string
}
export interface GenerationEnded {
type: "generation_ended"
session_id: string
generation_id: string
status: ("complete" | "stopped" | "error" | "interrupted")
}
export interface GenerationStarted {
type: "generation_started"
session_id: string
generation_id: string
status: "running"
}
export interface Healthy {
status: "healthy"
latency_ms: number
models: number
}
export interface ListGreeting {
type: "connection_established"
/**
 * For humans.
 */
message: string
/**
 * Names the store; another one means that a backup was restored.
 */
epoch: string
/**
 * `chatd/` and its version.
 */
server: string
protocol: 1
/**
 * The server pings so often, in seconds.
 */
ping_interval: number
sessions: Session[]
/**
 * The cursor of the next page, for REST.
 */
next: (string | null)
}
export interface Session {
id: string
title: string
/**
 * An id or a bare name; resolved at each turn.
 */
model: (string | null)
system_prompt: string
settings: ModelSettings
/**
 * The preset it was made from.
 */
preset_id: (string | null)
/**
 * False when it is deleted; its messages are kept.
 */
is_active: boolean
message_count: number
last_message_at: (string | null)
/**
 * The last message of the branch that is shown.
 */
head_id: (string | null)
/**
 * The ETag. Turns do not change it.
 */
version: number
/**
 * The client's own.
 */
metadata: {
[k: string]: unknown
}
created_at: string
updated_at: string
}
export interface ModelSettings {
temperature?: number
max_tokens?: number
enable_tools?: boolean
/**
 * Sampling keys that are allowed.
 */
options?: {
[k: string]: unknown
}
}
export interface ListPong {
type: "pong"
t: unknown
}
export interface LogHead {
generation_id: string
seq: number
}
export interface MessageList {
/**
 * Path and query of the page behind this one.
 */
next: (string | null)
/**
 * Path and query of the page before this one.
 */
previous: (string | null)
results: Message[]
}
export interface MessageNumbers {
total: number
user: number
assistant: number
}
export interface MessageUpdated {
type: "message_updated"
message: Message
}
export interface Model {
/**
 * `provider/name`; percent-encoded in a path.
 */
id: string
name: string
provider: string
/**
 * In tokens.
 */
context_length: (number | null)
capabilities: string[]
/**
 * The administrator's choice for who chose none.
 */
is_default: boolean
/**
 * False when it vanished or was switched off.
 */
is_active: boolean
last_seen_at: (string | null)
}
export interface ModelChanges {
/**
 * Whether it is the model of all who chose none.
 */
is_default?: boolean
/**
 * False deletes a session and switches a model off; true brings either back.
 */
is_active?: boolean
}
export interface ModelList {
/**
 * Path and query of the page behind this one.
 */
next: (string | null)
/**
 * Path and query of the page before this one.
 */
previous: (string | null)
results: Model[]
/**
 * The id of the model that a turn uses when nothing names one.
 */
default: (string | null)
}
export interface NewPreset {
/**
 * An id or a bare name; resolved at each turn, so it need not be known yet.
 */
model?: (string | null)
/**
 * What the model is told before everything else.
 */
system_prompt?: string
settings?: NewSettings
/**
 * For people.
 */
description?: string
/**
 * Whether all users see it.
 */
is_public?: boolean
/**
 * How people find it.
 */
name: string
}
export interface NewSettings {
/**
 * How freely the model draws its tokens.
 */
temperature?: (number | null)
/**
 * The longest reply.
 */
max_tokens?: (number | null)
/**
 * Whether the model may call tools.
 */
enable_tools?: (boolean | null)
/**
 * How the model draws its tokens; which keys there are is configured. At most 16384 bytes of JSON.
 */
options?: (Options | null)
}
export interface Options {
/**
 * Only the likeliest tokens that together have this probability.
 */
top_p?: (number | null)
/**
 * Only so many of the likeliest tokens; 0 or -1: all.
 */
top_k?: (number | null)
/**
 * Only tokens at least so likely, compared with the likeliest.
 */
min_p?: (number | null)
/**
 * Where the reply ends.
 */
stop?: (string | string[] | null)
/**
 * Makes drawing repeatable where the model server can.
 */
seed?: (number | null)
/**
 * Against words that were used at all.
 */
presence_penalty?: (number | null)
/**
 * Against words that were used often.
 */
frequency_penalty?: (number | null)
/**
 * Against words that were used; 1 is none.
 */
repeat_penalty?: (number | null)
/**
 * Against words that were used; 1 is none.
 */
repetition_penalty?: (number | null)
/**
 * By token, from -100 to 100.
 */
logit_bias?: ({
[k: string]: number
} | null)
/**
 * The form of the reply, as OpenAI's API has it.
 */
response_format?: ({
[k: string]: unknown
} | null)
/**
 * How much the model should think before.
 */
reasoning_effort?: (string | null)
}
export interface NewSession {
/**
 * An id or a bare name; resolved at each turn, so it need not be known yet.
 */
model?: (string | null)
/**
 * What the model is told before everything else.
 */
system_prompt?: string
settings?: NewSettings
/**
 * How people find it.
 */
title?: string
/**
 * The preset that gives what is left out.
 */
preset_id?: (string | null)
/**
 * The client's own; the server only keeps it. At most 16384 bytes of JSON.
 */
metadata?: {
[k: string]: unknown
}
}
export interface Nothing {

}
export interface PingCommand {
type: "ping"
t?: unknown
}
export interface Preferences {
/**
 * The id or name of a model; null: none.
 */
default_model?: (string | null)
}
export interface Preset {
id: string
name: string
description: string
system_prompt: string
model: (string | null)
settings: ModelSettings
/**
 * Whether all users see it.
 */
is_public: boolean
/**
 * The id of the user whose it is.
 */
owner: (string | null)
/**
 * The plugin that keeps it.
 */
source: string
/**
 * Whether the caller may change it.
 */
editable: boolean
/**
 * The ETag.
 */
version: number
created_at: string
updated_at: string
}
export interface PresetChanges {
/**
 * An id or a bare name; resolved at each turn, so it need not be known yet.
 */
model?: (string | null)
/**
 * What the model is told before everything else.
 */
system_prompt?: string
settings?: Settings
/**
 * For people.
 */
description?: string
/**
 * Whether all users see it.
 */
is_public?: boolean
/**
 * How people find it.
 */
name?: string
}
export interface Settings {
/**
 * How freely the model draws its tokens.
 */
temperature?: (number | null)
/**
 * The longest reply.
 */
max_tokens?: (number | null)
/**
 * Whether the model may call tools.
 */
enable_tools?: (boolean | null)
/**
 * How the model draws its tokens; which keys there are is configured. At most 16384 bytes of JSON.
 */
options?: (Options | null)
}
export interface PresetList {
/**
 * Path and query of the page behind this one.
 */
next: (string | null)
/**
 * Path and query of the page before this one.
 */
previous: (string | null)
results: Preset[]
}
export interface Problem {
/**
 * `urn:chatd:error:` and the code.
 */
type: string
title: string
status: number
/**
 * A sentence that a user may read.
 */
detail: string
/**
 * Stable: decide by this.
 */
code: ("internal" | "bad_request" | "invalid_input" | "unknown_event" | "unauthorized" | "forbidden" | "read_only" | "not_found" | "method_not_allowed" | "conflict" | "generation_running" | "session_deleted" | "precondition_failed" | "too_large" | "unsupported_media_type" | "rate_limited" | "too_many_generations" | "unavailable" | "model_unavailable" | "store_unavailable" | "broker_unavailable" | "shutting_down" | "provider_error" | "provider_timeout" | "provider_unavailable" | "provider_busy" | "provider_refused" | "provider_interrupted" | "generation_interrupted" | "prompt_failed")
/**
 * Of each wrong field, what is wrong; inner ones with dots.
 */
errors?: {
[k: string]: string[]
}
/**
 * What the log has it under.
 */
request_id?: string
}
export interface ProviderReport {
ok: boolean
models: number
error?: string
}
export interface Ready {
status: "ready"
}
export interface Regenerate {
/**
 * The message that is meant.
 */
message_id?: (string | null)
/**
 * A name of the client's for this: with the same one again nothing happens twice.
 */
client_id?: (string | null)
}
export interface RegenerateCommand {
type: "regenerate"
/**
 * The message that is meant.
 */
message_id?: (string | null)
/**
 * A name of the client's for this: with the same one again nothing happens twice.
 */
client_id?: (string | null)
}
export interface ResumeCommand {
type: "resume"
/**
 * The generation that is meant.
 */
generation_id: string
/**
 * The last entry of the log that the client has.
 */
after_seq: number
}
export interface RunningGeneration {
generation_id: string
message_id: string
seq: number
}
export interface SearchPage {
/**
 * Path and query of the page behind this one.
 */
next: (string | null)
/**
 * Path and query of the page before this one.
 */
previous: (string | null)
results: SearchResult[]
}
export interface SearchResult {
message: Message
session: FoundSession
/**
 * The part of the content around the first hit, as plain text.
 */
snippet: string
/**
 * The hits in the snippet: from, and up to but not with, in code points.
 */
highlights: [number, number][]
/**
 * A higher one fits better, and says nothing else.
 */
rank: number
}
export interface SendMessage {
/**
 * The text.
 */
message: string
/**
 * A name of the client's for this: with the same one again nothing happens twice.
 */
client_id?: (string | null)
}
export interface SendMessageCommand {
type: "send_message"
/**
 * The text.
 */
message: string
/**
 * A name of the client's for this: with the same one again nothing happens twice.
 */
client_id?: (string | null)
}
export interface SessionChanges {
/**
 * An id or a bare name; resolved at each turn, so it need not be known yet.
 */
model?: (string | null)
/**
 * What the model is told before everything else.
 */
system_prompt?: string
settings?: Settings
/**
 * How people find it.
 */
title?: string
/**
 * The preset that gives what is left out.
 */
preset_id?: (string | null)
/**
 * The client's own; the server only keeps it. At most 16384 bytes of JSON.
 */
metadata?: {
[k: string]: unknown
}
/**
 * False deletes a session and switches a model off; true brings either back.
 */
is_active?: boolean
}
export interface SessionCreated {
type: "session_created"
session: Session
}
export interface SessionDeleted {
type: "session_deleted"
session: Session
}
export interface SessionFromPreset {
/**
 * How people find it.
 */
title?: string
}
export interface SessionGreeting {
type: "connection_established"
/**
 * For humans.
 */
message: string
/**
 * Names the store; another one means that a backup was restored.
 */
epoch: string
/**
 * `chatd/` and its version.
 */
server: string
protocol: 1
/**
 * The server pings so often, in seconds.
 */
ping_interval: number
session_id: string
/**
 * The newest change of the session's messages.
 */
revision: number
/**
 * The last message of the branch that is shown.
 */
head_id: (string | null)
/**
 * What runs now.
 */
generation: (RunningGeneration | null)
/**
 * Load the messages again: too much was missed.
 */
reload?: boolean
}
export interface SessionList {
/**
 * Path and query of the page behind this one.
 */
next: (string | null)
/**
 * Path and query of the page before this one.
 */
previous: (string | null)
results: Session[]
}
export interface SessionNumbers {
total: number
active: number
}
export interface SessionPong {
type: "pong"
t: unknown
revision: number
generation: (LogHead | null)
}
export interface SessionUpdated {
type: "session_updated"
session: Session
}
export interface SignedIn {
/**
 * For the header `Authorization: Token ...`; shown this once.
 */
token: string
expires_at: (string | null)
user: User
}
export interface User {
id: string
name: string
/**
 * `admin` may change models.
 */
roles: string[]
preferences: UserPreferences
}
export interface UserPreferences {
/**
 * The id or name of a model.
 */
default_model: (string | null)
}
export interface SocketTicket {
ticket: string
expires_at: string
}
export interface Stats {
sessions: SessionNumbers
messages: MessageNumbers
tokens: TokenNumbers
/**
 * How many answers each model gave.
 */
models: {
[k: string]: number
}
first_message_at: (string | null)
last_message_at: (string | null)
}
export interface TokenNumbers {
prompt: number
completion: number
total: number
}
export interface StopGeneration {
/**
 * The generation that is meant.
 */
generation_id?: (string | null)
/**
 * The last entry of the log that the user saw: the rest is cut off.
 */
seen_seq?: (number | null)
}
export interface StopGenerationCommand {
type: "stop_generation"
/**
 * The generation that is meant.
 */
generation_id?: (string | null)
/**
 * The last entry of the log that the user saw: the rest is cut off.
 */
seen_seq?: (number | null)
}
export interface StopTypingCommand {
type: "stop_typing"
}
export interface Stopped {
stopped: boolean
}
export interface SyncReport {
synced: number
added: number
updated: number
deactivated: number
/**
 * By name.
 */
providers: {
[k: string]: ProviderReport
}
}
export interface TurnAccepted {
user_message: Message
generation_id: string
/**
 * This client_id had been sent before.
 */
duplicate?: boolean
}
export interface TurnEnd {
user_message: Message
ai_message: Message
/**
 * This client_id had been sent before.
 */
duplicate?: boolean
}
export interface TurnProblem {
/**
 * `urn:chatd:error:` and the code.
 */
type: string
title: string
status: number
/**
 * A sentence that a user may read.
 */
detail: string
/**
 * Stable: decide by this.
 */
code: ("internal" | "bad_request" | "invalid_input" | "unknown_event" | "unauthorized" | "forbidden" | "read_only" | "not_found" | "method_not_allowed" | "conflict" | "generation_running" | "session_deleted" | "precondition_failed" | "too_large" | "unsupported_media_type" | "rate_limited" | "too_many_generations" | "unavailable" | "model_unavailable" | "store_unavailable" | "broker_unavailable" | "shutting_down" | "provider_error" | "provider_timeout" | "provider_unavailable" | "provider_busy" | "provider_refused" | "provider_interrupted" | "generation_interrupted" | "prompt_failed")
/**
 * Of each wrong field, what is wrong; inner ones with dots.
 */
errors?: {
[k: string]: string[]
}
/**
 * What the log has it under.
 */
request_id?: string
/**
 * Whether the same again can succeed.
 */
retryable?: boolean
user_message?: Message
ai_message?: Message
}
export interface TypingCommand {
type: "typing"
}
export interface TypingUser {
id: string
name: string
}
export interface Unhealthy {
status: "unhealthy"
code: ("internal" | "bad_request" | "invalid_input" | "unknown_event" | "unauthorized" | "forbidden" | "read_only" | "not_found" | "method_not_allowed" | "conflict" | "generation_running" | "session_deleted" | "precondition_failed" | "too_large" | "unsupported_media_type" | "rate_limited" | "too_many_generations" | "unavailable" | "model_unavailable" | "store_unavailable" | "broker_unavailable" | "shutting_down" | "provider_error" | "provider_timeout" | "provider_unavailable" | "provider_busy" | "provider_refused" | "provider_interrupted" | "generation_interrupted" | "prompt_failed")
}
export interface UserChanges {
preferences?: Preferences
}
export interface UserMessage {
type: "user_message"
message: Message
/**
 * It answers a repeat by `client_id`.
 */
duplicate?: boolean
}
export interface UserTyping {
type: "user_typing"
user: TypingUser
is_typing: boolean
}
