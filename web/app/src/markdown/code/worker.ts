/** Highlights code beside the main thread, which a long grammar would hold up. */
import { tokenize } from "./tokenizing";

export interface Request {
  readonly id: string;
  readonly language: string;
  readonly code: string;
}

addEventListener("message", ({ data }: MessageEvent<Request>) => {
  tokenize(data.id, data.language, data.code).then(
    (tokenized) => postMessage({ id: data.id, ...tokenized }),
    () => postMessage({ id: data.id, from: 0, lines: [] }),
  );
});
