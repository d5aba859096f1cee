/** What stands by itself: tokens of blocks as React elements. */
import type { Token, Tokens } from "marked";
import { Fragment, memo, type ReactNode } from "react";
import { Code } from "./Code";
import { Formula } from "./Formula";
import { inline } from "./Inline";
import type { Formula as FormulaToken } from "./maths";
import { Note } from "./Note";
import type { NoteDefinition } from "./notes";

/** Returns tokens of blocks as elements; `isGrowing` says that the last one may go on. */
export function elements(tokens: readonly Token[] | undefined, isGrowing: boolean, isInItem = false): ReactNode {
  return tokens?.map((token, at) => (
    <Fragment key={at}>{element(token, isGrowing && at === tokens.length - 1, isInItem)}</Fragment>
  ));
}

function element(token: Token, isGrowing: boolean, isInItem: boolean): ReactNode {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      return heading(token as Tokens.Heading);
    case "paragraph":
      // With a direction of its own it would leave its item without one, and the mark on the other side.
      return <p dir={isInItem ? undefined : "auto"}>{inline(token.tokens)}</p>;
    case "code":
      return <Code text={token.text as string} info={(token as Tokens.Code).lang} isGrowing={isGrowing} />;
    case "blockquote":
      return <blockquote>{elements(token.tokens, isGrowing)}</blockquote>;
    case "list":
      return <List list={token as Tokens.List} isGrowing={isGrowing} />;
    case "table":
      return <Table table={token as Tokens.Table} />;
    case "hr":
      return <hr />;
    case "html":
      return <p className="md-source">{token.raw.trimEnd()}</p>;
    case "maths":
      return <Formula formula={token as FormulaToken} />;
    case "note":
      return <Note name={(token as NoteDefinition).name}>{inline(token.tokens)}</Note>;
    default:
      return inline([token]);
  }
}

/** The page has headings of its own above these: a model's first one is the fourth level. */
function heading({ depth, tokens }: Tokens.Heading): ReactNode {
  const Level = `h${Math.min(6, depth + 2)}` as "h3";
  return (
    <Level className={`md-h${depth}`} dir="auto">
      {inline(tokens)}
    </Level>
  );
}

function List({ list, isGrowing }: { list: Tokens.List; isGrowing: boolean }) {
  const Kind = list.ordered ? "ol" : "ul";
  const last = list.items.length - 1;
  return (
    <Kind {...(list.ordered && list.start !== 1 ? { start: Number(list.start) } : {})}>
      {list.items.map((item, at) => (
        <Item key={at} item={item} isGrowing={isGrowing && at === last} />
      ))}
    </Kind>
  );
}

/** Of a long list that grows only what has changed is rendered again. */
const Item = memo(
  function Item({ item, isGrowing }: { item: Tokens.ListItem; isGrowing: boolean }) {
    return (
      <li dir="auto" className={item.task ? "md-task" : undefined}>
        {elements(item.tokens, isGrowing, true)}
      </li>
    );
  },
  (one, other) =>
    one.item.raw === other.item.raw &&
    one.item.loose === other.item.loose &&
    one.isGrowing === other.isGrowing &&
    !other.item.raw.includes("["),
);

function Table({ table }: { table: Tokens.Table }) {
  return (
    <div className="md-table" tabIndex={0} role="group">
      <table>
        <thead>
          <Row cells={table.header} isHeader />
        </thead>
        <tbody>
          {table.rows.map((cells, at) => (
            <Row key={at} cells={cells} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

const Row = memo(
  function Row({ cells, isHeader }: { cells: Tokens.TableCell[]; isHeader?: boolean }) {
    const Cell = isHeader ? "th" : "td";
    return (
      <tr>
        {cells.map(({ align, tokens }, at) => (
          <Cell key={at} dir="auto" className={align ? `md-${align}` : undefined}>
            {inline(tokens)}
          </Cell>
        ))}
      </tr>
    );
  },
  (one, other) =>
    one.cells.length === other.cells.length &&
    one.cells.every(
      ({ text, align }, at) =>
        text === other.cells[at]?.text && align === other.cells[at]?.align && !text.includes("["),
    ),
);
