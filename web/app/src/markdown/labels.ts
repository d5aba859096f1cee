/** Names of reference links. */

/** Returns a text as labels are compared: without regard to case and to how much space is in it. */
export function normalized(text: string): string {
  // Twice, as marked does: "ẞ" and "ß" are one in upper case only.
  const folded = text.replace(/\s+/g, " ").toLowerCase().toUpperCase().toLowerCase();
  return folded.replaceAll("[ ", "[").replaceAll(" ]", "]");
}

/** Whether a text mentions one of some labels, in brackets. */
export function mentions(text: string, labels: readonly string[]): boolean {
  if (labels.length === 0 || !text.includes("[")) return false;
  const flat = normalized(text);
  return labels.some((label) => flat.includes(`[${label}]`));
}
