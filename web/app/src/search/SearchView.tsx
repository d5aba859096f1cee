import type { Route } from "../route";

export default function SearchView(_: { route: Route }) {
  return <h1>Search</h1>;
}
