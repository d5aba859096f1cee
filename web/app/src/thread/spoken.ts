/** What a screen reader says of an answer that streams: whole sentences, without the marks of Markdown. */

const SENTENCE = /[.!?。！？…:][)"'”’»*_`]*(?=\s)|\n/g;

/** Returns the end of the last whole sentence of a text; code that is not closed is no sentence. */
export function sentencesEnd(text: string): number {
  const fences = text.split(/^ {0,3}(?:```|~~~)/m);
  const whole = fences.length % 2 === 1 ? text : text.slice(0, text.length - (fences.at(-1)?.length ?? 0) - 3);
  let end = 0;
  for (const found of whole.matchAll(SENTENCE)) end = found.index + found[0].length;
  return end;
}

/** Returns Markdown as it is said. */
export function spoken(markdown: string, code: string): string {
  return markdown
    .replace(/^ {0,3}(```|~~~)[\s\S]*?(?:^ {0,3}\1[^\n]*$|(?![\s\S]))/gm, ` ${code} `)
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replace(/^[ \t]*(?:#{1,6}|>|[-*+]|\|[-:| ]+\|$)[ \t]*/gm, "")
    .replace(/[*_~`|]+/g, " ")
    .replace(/[ \t]+/g, " ")
    .trim();
}
