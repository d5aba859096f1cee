import type { Route } from "../route";

export default function StatisticsView(_: { route: Route }) {
  return <h1>Statistics</h1>;
}
