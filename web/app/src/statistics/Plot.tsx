/** Bars in SVG, with a table of the same behind them. */
import { type ComponentType, useEffect, useId, useRef, useState } from "react";
import { number, t } from "../i18n";

export interface Bar {
  readonly name: string;
  readonly value: number;
}

interface DrawnProps {
  readonly bars: readonly Bar[];
  /** In pixels, as there is room. */
  readonly width: number;
}

interface PlotProps {
  readonly title: string;
  readonly bars: readonly Bar[];
  readonly note?: string;
  readonly draw: ComponentType<DrawnProps>;
}

export function Plot({ title, bars, note, draw: Drawn }: PlotProps) {
  const heading = useId();
  const [room, width] = useWidth();
  return (
    <figure className="card plot" aria-labelledby={heading}>
      <figcaption id={heading}>
        <h2>{title}</h2>
        {note && <span className="view-note">{note}</span>}
      </figcaption>
      <div ref={room} aria-hidden>
        {width > 0 && <Drawn bars={bars} width={width} />}
      </div>
      <details>
        <summary>{t("statistics.table")}</summary>
        <Table title={title} bars={bars} />
      </details>
    </figure>
  );
}

function useWidth(): [{ current: HTMLDivElement | null }, number] {
  const room = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (!room.current) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(room.current);
    return () => observer.disconnect();
  }, []);
  return [room, width];
}

function Table({ title, bars }: { title: string; bars: readonly Bar[] }) {
  return (
    <table>
      <caption className="unseen">{title}</caption>
      <thead>
        <tr>
          <th scope="col">{t("statistics.name")}</th>
          <th scope="col">{t("statistics.count")}</th>
        </tr>
      </thead>
      <tbody>
        {bars.map(({ name, value }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>{number(value)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const most = (bars: readonly Bar[]) => Math.max(1, ...bars.map(({ value }) => value));

const ROW = 40;

/** A bar for each name, its name and number above it. */
export function Rows({ bars, width }: DrawnProps) {
  const scale = width / most(bars);
  return (
    <svg width={width} height={bars.length * ROW}>
      {bars.map(({ name, value }, row) => (
        <g key={name} transform={`translate(0 ${row * ROW})`}>
          <title>{t("statistics.bar", { name, value: number(value) })}</title>
          <text className="plot-name" x={0} y={14}>{name}</text>
          <text className="plot-value" x={width} y={14} textAnchor="end">{number(value)}</text>
          <rect className="plot-ground" x={0} y={22} width={width} height={8} rx={4} />
          <rect className="plot-bar" x={0} y={22} width={value && Math.max(8, value * scale)} height={8} rx={4} />
        </g>
      ))}
    </svg>
  );
}

const HEIGHT = 140;
const FOOT = 22;
const HEAD = 18;
const NAME_WIDTH = 56; // pixels, about, of a date

/** A column for each name, side by side; as many of the names as there is room for. */
export function Columns({ bars, width }: DrawnProps) {
  const step = width / bars.length;
  const scale = (HEIGHT - HEAD - FOOT) / most(bars);
  const every = Math.max(1, Math.ceil(NAME_WIDTH / step));
  return (
    <svg width={width} height={HEIGHT}>
      <line className="plot-line" x1={0} x2={width} y1={HEIGHT - FOOT + 0.5} y2={HEIGHT - FOOT + 0.5} />
      {bars.map(({ name, value }, place) => {
        const height = value && Math.max(3, value * scale);
        const middle = (place + 0.5) * step;
        const top = HEIGHT - FOOT - height;
        return (
          <g key={name}>
            <title>{t("statistics.bar", { name, value: number(value) })}</title>
            <rect className="plot-bar" x={place * step + step * 0.18} width={step * 0.64} y={top} height={height} rx={3} />
            {value > 0 && <text className="plot-value" x={middle} y={top - 5} textAnchor="middle">{number(value)}</text>}
            {(bars.length - 1 - place) % every === 0 && <text className="plot-name" x={middle} y={HEIGHT - 4} textAnchor="middle">{name}</text>}
          </g>
        );
      })}
    </svg>
  );
}
