import type { Route } from "../route";

export default function SettingsView(_: { route: Route }) {
  return <h1>Settings</h1>;
}
