import type { Route } from "../route";

export default function PresetsView(_: { route: Route }) {
  return <h1>Presets</h1>;
}
