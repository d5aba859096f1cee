import type { Route } from "../route";

export default function TrashView(_: { route: Route }) {
  return <h1>Trash</h1>;
}
