/** Where a reader is in the thread: at its end, which is followed, or somewhere that stays in place. */

/** Pixels from the end within which one is at it. */
const NEAR = 4;
/** Pixels from the end from which on there is a button that leads back. */
const FAR = 160;

/** Keeps a scrolling element at its end while what is in it grows, unless its reader went up. */
export class Follower {
  #isFollowing = true;
  #isFar = false;
  #last = 0;
  #sizes: ResizeObserver | undefined;
  #element: HTMLElement | undefined;

  /** `tell` is called when the end comes near or gets far. */
  constructor(private readonly tell: (isFar: boolean) => void) {}

  get isFollowing(): boolean {
    return this.#isFollowing;
  }

  /** Begins with an element that scrolls and what is in it; returns what ends it. */
  attach(element: HTMLElement, content: HTMLElement): () => void {
    this.#element = element;
    const scrolled = () => this.#scrolled();
    const wheeled = (event: WheelEvent) => {
      if (event.deltaY < 0 && element.scrollHeight > element.clientHeight) this.leave();
    };
    element.addEventListener("scroll", scrolled, { passive: true });
    element.addEventListener("wheel", wheeled, { passive: true });
    this.#sizes = new ResizeObserver(() => this.#resized());
    this.#sizes.observe(content);
    this.#sizes.observe(element);
    return () => {
      element.removeEventListener("scroll", scrolled);
      element.removeEventListener("wheel", wheeled);
      this.#sizes?.disconnect();
    };
  }

  /** Goes to the end, and stays there. */
  follow(behavior: ScrollBehavior = "instant"): void {
    this.#isFollowing = true;
    const element = this.#element;
    element?.scrollTo({ top: element.scrollHeight, behavior });
    this.#look();
  }

  /** Stays where one is, whatever comes. */
  leave(): void {
    this.#isFollowing = false;
  }

  #scrolled(): void {
    const top = this.#element?.scrollTop ?? 0;
    // What went up was somebody's hand, unless the text became shorter: then the end is here.
    if (this.#distance() <= NEAR) this.#isFollowing = true;
    else if (top < this.#last - 1) this.#isFollowing = false;
    this.#last = top;
    this.#look();
  }

  #resized(): void {
    const element = this.#element;
    if (this.#isFollowing && element) element.scrollTop = element.scrollHeight;
    this.#look();
  }

  #look(): void {
    const isFar = !this.#isFollowing && this.#distance() > FAR;
    if (isFar !== this.#isFar) this.tell(isFar);
    this.#isFar = isFar;
  }

  #distance(): number {
    const { scrollHeight = 0, scrollTop = 0, clientHeight = 0 } = this.#element ?? {};
    return scrollHeight - scrollTop - clientHeight;
  }
}
