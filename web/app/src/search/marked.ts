export interface Piece {
  readonly text: string;
  readonly isHit: boolean;
}

/** Returns a text in pieces, by hits that are given in code points: from, and up to but not with. */
export function marked(text: string, hits: readonly (readonly [number, number])[]): readonly Piece[] {
  const points = [...text];
  const pieces: Piece[] = [];
  let at = 0;
  const take = (to: number, isHit: boolean) => {
    if (to > at) pieces.push({ text: points.slice(at, to).join(""), isHit });
    at = Math.max(at, to);
  };
  for (const [from, to] of hits) {
    take(from, false);
    take(to, true);
  }
  take(points.length, false);
  return pieces;
}
