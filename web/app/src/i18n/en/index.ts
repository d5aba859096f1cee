export { shell } from "./shell";
export { thread } from "./thread";
export { views } from "./views";
