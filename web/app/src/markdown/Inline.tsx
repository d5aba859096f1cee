/** What stands in a line: tokens as React elements. Text stays text, whatever is in it. */
import type { Token, Tokens } from "marked";
import { Fragment, type ReactNode } from "react";
import { decoded } from "./entities";
import { Formula } from "./Formula";
import { followable } from "./links";
import type { Formula as FormulaToken } from "./maths";
import { NoteMark } from "./Note";
import type { NoteReference } from "./notes";

/** Markup that models write in tables, and that can do nothing. All other HTML is shown as it is. */
const LINE_BREAK = /^<br\s*\/?>$/i;

/** Returns tokens of a line as elements. */
export function inline(tokens: readonly Token[] | undefined): ReactNode {
  return tokens?.map((token, at) => <Fragment key={at}>{element(token)}</Fragment>);
}

function element(token: Token): ReactNode {
  switch (token.type) {
    case "strong":
      return <strong>{inline(token.tokens)}</strong>;
    case "em":
      return <em>{inline(token.tokens)}</em>;
    case "del":
      return <del>{inline(token.tokens)}</del>;
    case "codespan":
      return <code dir="ltr">{token.text as string}</code>;
    case "br":
      return <br />;
    case "link":
      return link(token as Tokens.Link);
    case "image":
      return image(token as Tokens.Image);
    case "maths":
      return <Formula formula={token as FormulaToken} />;
    case "noteReference":
      return <NoteMark name={(token as NoteReference).name} />;
    case "checkbox":
      return <Checkbox isChecked={(token as Tokens.Checkbox).checked} />;
    case "html":
      return LINE_BREAK.test(token.raw) ? <br /> : token.raw;
    case "escape":
      return token.text as string;
    default:
      return plain(token);
  }
}

function plain(token: Token): ReactNode {
  if ("tokens" in token && token.tokens) return inline(token.tokens);
  if (!("text" in token)) return token.raw;
  return token.type === "text" && !token.escaped ? decoded(token.text) : token.text;
}

function Checkbox({ isChecked }: { isChecked: boolean }) {
  return <input type="checkbox" checked={isChecked} disabled readOnly aria-label={isChecked ? "☑" : "☐"} />;
}

function link(token: Tokens.Link): ReactNode {
  const isLiteral = (token as { autolink?: boolean }).autolink === true;
  const text = isLiteral ? token.text : inline(token.tokens);
  // Of an address that stands in the text itself nothing is a character reference.
  const to = followable(isLiteral ? token.href.replaceAll("&", "&amp;") : token.href);
  return to === undefined ? text : <Outside to={to}>{text}</Outside>;
}

/** A model's image is somebody else's server, which would learn who reads: it is a link. */
function image(token: Tokens.Image): ReactNode {
  const text = decoded(token.text) || token.href;
  const to = followable(token.href);
  return to === undefined ? text : <Outside to={to}>🖼 {text}</Outside>;
}

function Outside({ to, children }: { to: string; children: ReactNode }) {
  return (
    <a href={to} title={to} target="_blank" rel="noopener noreferrer nofollow" dir="auto">
      {children}
    </a>
  );
}
