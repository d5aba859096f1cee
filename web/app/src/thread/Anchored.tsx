import { Component, type ReactNode, type RefObject } from "react";

interface Props {
  readonly scroller: RefObject<HTMLElement | null>;
  /** Of the first message; when it changes, others were put before it. */
  readonly firstId: string | undefined;
  readonly isFollowing: () => boolean;
  readonly children: ReactNode;
}

interface Place {
  readonly element: Element;
  readonly top: number;
}

/**
 * Keeps what is read in its place when older messages come before it. Browsers that do this themselves do
 * not at the very top. (A class: there is no hook for the moment before the document changes.)
 */
export class Anchored extends Component<Props> {
  override getSnapshotBeforeUpdate(before: Props): Place | null {
    if (before.firstId === this.props.firstId || this.props.isFollowing()) return null;
    const scroller = this.props.scroller.current;
    const edge = scroller?.getBoundingClientRect().top ?? 0;
    const articles = [...(scroller?.querySelectorAll("article") ?? [])];
    const element = articles.find((article) => article.getBoundingClientRect().bottom > edge);
    return element ? { element, top: element.getBoundingClientRect().top } : null;
  }

  override componentDidUpdate(_before: Props, _state: unknown, place: Place | null): void {
    const scroller = this.props.scroller.current;
    if (!place || !scroller) return;
    scroller.scrollTop += place.element.getBoundingClientRect().top - place.top;
  }

  override render(): ReactNode {
    return this.props.children;
  }
}
