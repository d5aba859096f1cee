/** Code: its language, a button that copies it, and its lines in colours. */
import { memo } from "react";
import { t } from "../i18n";
import { Copy } from "./Copy";
import type { Line } from "./code/colours";
import { type Highlighted, useHighlighted } from "./code/highlighting";
import { languageOf } from "./code/languages";
import "./code.css";

interface Props {
  readonly text: string;
  /** What stands behind ```. */
  readonly info?: string | undefined;
  readonly isGrowing: boolean;
}

/** Lines that are laid out together, or not at all while they are out of sight. */
const GROUP = 40;

export const Code = memo(function Code({ text, info, isGrowing }: Props) {
  const language = languageOf(info);
  const highlighted = useHighlighted(text, language, isGrowing);
  return (
    <figure className="md-code" dir="ltr">
      <figcaption>
        <span>{language}</span>
        <Copy text={text} label={t("thread.copyCode")} />
      </figcaption>
      <pre tabIndex={0} role="group" aria-label={language ? t("thread.codeIn", { language }) : t("thread.code")}>
        <code>{groups(text, highlighted)}</code>
      </pre>
    </figure>
  );
});

function groups(text: string, { lines }: Highlighted) {
  const plain = text.split("\n");
  if (plain.at(-1) === "") plain.pop();
  const count = Math.ceil(plain.length / GROUP);
  return Array.from({ length: count }, (_, at) => {
    const [from, to] = [at * GROUP, (at + 1) * GROUP];
    return <Group key={at} plain={plain.slice(from, to)} lines={lines.slice(from, to)} isOneOfMany={count > 1} />;
  });
}

interface GroupProps {
  readonly plain: readonly string[];
  /** Of the first of these lines, those that are highlighted. */
  readonly lines: readonly Line[];
  readonly isOneOfMany: boolean;
}

/** A line of code is as high as the next, so that a group out of sight takes its exact place. */
const Group = memo(
  function Group({ plain, lines, isOneOfMany }: GroupProps) {
    const style = { containIntrinsicBlockSize: `auto ${plain.length * 1.6}em` };
    return (
      <span className="md-lines" data-many={isOneOfMany || undefined} style={style}>
        {lines.map(coloured)}
        {plain.slice(lines.length).map((line) => `${line}\n`)}
      </span>
    );
  },
  (one, other) =>
    one.isOneOfMany === other.isOneOfMany && same(one.plain, other.plain) && same(one.lines, other.lines),
);

function same(one: readonly unknown[], other: readonly unknown[]): boolean {
  return one.length === other.length && one.every((item, at) => item === other[at]);
}

function coloured(line: Line, at: number) {
  return (
    <span key={at}>
      {line.map(([kind, text], place) =>
        kind === "plain" ? text : <span key={place} className={`code-${kind}`}>{text}</span>,
      )}
      {"\n"}
    </span>
  );
}
