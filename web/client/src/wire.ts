/** The objects, events and commands of the protocol, under the names that this library uses. */
import type {
  AiMessageChunk,
  AiMessageComplete,
  AiReasoningChunk,
  AiToolCall,
  AiToolResult,
  AiTyping,
  EditMessageCommand,
  Error as ErrorEvent,
  GenerationEnded,
  GenerationStarted,
  ListGreeting,
  ListPong,
  MessageUpdated,
  PingCommand,
  RegenerateCommand,
  ResumeCommand,
  SendMessageCommand,
  SessionCreated,
  SessionDeleted,
  SessionGreeting,
  SessionPong,
  SessionUpdated,
  StopGenerationCommand,
  StopTypingCommand,
  TypingCommand,
  UserMessage,
  UserTyping,
} from "./contract.js";

export type * from "./contract.js";
export type { ErrorEvent };

/** An entry of a generation's log, or several merged into one. */
export type LogEvent = AiMessageChunk | AiReasoningChunk | AiToolCall | AiToolResult;

/** What the socket of one session sends. A server of a newer version may send more: ignore it. */
export type ServerEvent =
  | SessionGreeting
  | UserMessage
  | AiTyping
  | LogEvent
  | AiMessageComplete
  | ErrorEvent
  | UserTyping
  | MessageUpdated
  | SessionUpdated
  | SessionDeleted
  | SessionPong;

/** What the socket of the session list sends. */
export type ListEvent =
  | ListGreeting
  | SessionCreated
  | SessionUpdated
  | SessionDeleted
  | GenerationStarted
  | GenerationEnded
  | ErrorEvent
  | ListPong;

/** What a client sends. */
export type Command =
  | SendMessageCommand
  | EditMessageCommand
  | RegenerateCommand
  | StopGenerationCommand
  | ResumeCommand
  | PingCommand
  | TypingCommand
  | StopTypingCommand;

/** A turn that this client asks for; it has a `client_id`, so that it is carried out once. */
export type TurnCommand = (SendMessageCommand | EditMessageCommand | RegenerateCommand) & {
  client_id: string;
};
