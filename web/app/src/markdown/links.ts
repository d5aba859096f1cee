/** Which addresses of a model's text may be followed. */
import { decoded } from "./entities";

const FOLLOWED = new Set(["http:", "https:", "mailto:"]);

/**
 * Returns the address that a link leads to, or undefined if it must not be one: what is relative would
 * lead into the page itself, and every scheme but three can run something. The address is read by the
 * browser's own parser, and what is returned is what that understood: what it strips (control
 * characters, line breaks) and what it folds (case) cannot hide a scheme.
 */
export function followable(address: string): string | undefined {
  let url: URL;
  try {
    url = new URL(decoded(address));
  } catch {
    return undefined;
  }
  return FOLLOWED.has(url.protocol) ? url.href : undefined;
}
