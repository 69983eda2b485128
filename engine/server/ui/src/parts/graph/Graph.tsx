import { Background, BackgroundVariant, Controls, Handle, MarkerType, MiniMap, Position, ReactFlow, ReactFlowProvider, useReactFlow, useStore, type Edge, type Node, type NodeHandle, type NodeProps } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { memo, useCallback, useEffect, useMemo, useRef, type KeyboardEvent } from "react";
import { useTheme } from "../../app/theme";
import { look } from "../../lib/states";
import { Icon } from "../../ui/Icon";
import { Loading } from "../../ui/Notes";
import { StateShape } from "../../ui/Status";
import type { View, ViewGroup, ViewNode } from "./fold";
import { step } from "./move";
import { LABELS_UNTIL, type Layout } from "./boxes";
import { useLayout } from "./useLayout";
import "./graph.css";

interface Props {
  label: string;
  view: View;
  selected?: string;
  onSelect: (id: string) => void;
  onFold?: (id: string) => void;
  /** Ids of nodes on the critical path. */
  path?: ReadonlySet<string> | undefined;
  height?: number | string;
}

type Data = { node: ViewNode; selected: boolean; critical: boolean; onSelect: (id: string) => void; onFold?: ((id: string) => void) | undefined };
type GroupData = { group: ViewGroup; onFold?: ((id: string) => void) | undefined };

/** The minimap appears from so many nodes on. */
const MINIMAP_FROM = 40;
/** Letters of an edge's label; the whole of it shows on the edges of the selected node. */
const LABEL = 24;
/** A picture that fits at this zoom is shown whole; a larger one starts at a zoom at which names are easily read. */
const WHOLE = 0.6;
const READABLE = 0.75;

/** Of several artifacts on one edge the first is named. */
function short(label: string): string {
  const [first = "", ...others] = label.split(", ");
  const name = first.length > LABEL ? `${first.slice(0, LABEL - 1)}…` : first;
  return others.length > 0 ? `${name} +${others.length}` : name;
}

function bounds(layout: Layout | undefined): { width: number; height: number } {
  const boxes = Object.values(layout ?? {});
  return { width: Math.max(1, ...boxes.map((box) => box.x + box.width)) + 16, height: Math.max(1, ...boxes.map((box) => box.y + box.height)) + 16 };
}

/** What one wants to see first: what failed, waits or runs. */
function firstOfInterest({ nodes }: View): string {
  const find = (state: string) => nodes.find((node) => node.state === state)?.id;
  return find("failed") ?? find("waiting") ?? find("running") ?? nodes[0]?.id ?? "";
}

/** Where edges end, said beforehand: else every node would be drawn once, in view or not, to be measured. */
function handlesOf({ width, height }: { width: number; height: number }): NodeHandle[] {
  const middle = { y: height / 2, width: 1, height: 1 };
  return [
    { ...middle, type: "target", position: Position.Left, x: 0 },
    { ...middle, type: "source", position: Position.Right, x: width - 1 },
  ];
}

const nodeTypes = { task: memo(TaskNode), frame: memo(Frame) };

export default function Graph(props: Props) {
  return (
    <ReactFlowProvider>
      <Canvas {...props} />
    </ReactFlowProvider>
  );
}

function Canvas({ label, view, selected = "", onSelect, onFold, path, height = 520 }: Props) {
  const layout = useLayout(view);
  const theme = useTheme();
  const flow = useReactFlow();
  const element = useRef<HTMLDivElement>(null);
  const near = useStore((state) => state.transform[2] > 0.85);
  const labels = view.edges.length <= LABELS_UNTIL || near;

  const nodes = useMemo<Node[]>(() => {
    if (!layout) return [];
    const frames = view.groups.flatMap((group): Node[] => {
      const box = layout[group.id];
      if (!box) return [];
      const size = { width: box.width, height: box.height };
      return [{ id: group.id, type: "frame", position: { x: box.x, y: box.y }, ...size, measured: size, handles: [], data: { group, onFold } satisfies GroupData, selectable: false, focusable: false, zIndex: -1 }];
    });
    const tasks = view.nodes.flatMap((node): Node[] => {
      const box = layout[node.id];
      if (!box) return [];
      const data: Data = { node, selected: node.id === selected, critical: path?.has(node.id) ?? false, onSelect, onFold };
      const size = { width: box.width, height: box.height };
      return [{ id: node.id, type: "task", position: { x: box.x, y: box.y }, ...size, measured: size, handles: handlesOf(size), data, focusable: false }];
    });
    return [...frames, ...tasks];
  }, [layout, view, selected, path, onSelect, onFold]);

  const edges = useMemo<Edge[]>(
    () =>
      view.edges.map(({ id, from, to, label }) => {
        const lit = from === selected || to === selected;
        const critical = (path?.has(from) && path.has(to)) ?? false;
        return {
          id,
          source: from,
          target: to,
          label: labels ? short(label) : lit ? label : undefined,
          className: critical ? "critical" : lit ? "lit" : "",
          markerEnd: { type: MarkerType.ArrowClosed, width: 16, height: 16 },
          focusable: false,
        };
      }),
    [view.edges, selected, path, labels],
  );

  const shape = layout ? Object.keys(layout).join() : "";
  const box = useMemo(() => bounds(layout), [layout]);
  const anchor = useRef("");
  anchor.current = selected || firstOfInterest(view);
  useEffect(() => {
    if (!shape || !layout) return;
    const frame = requestAnimationFrame(() => {
      const host = element.current;
      if (!host) return;
      const fit = Math.min(host.clientWidth / box.width, host.clientHeight / box.height);
      // What does not fit and stay readable starts where something is to be seen; the rest is a drag away.
      const at = layout[anchor.current];
      if (fit < WHOLE && at) void flow.setCenter(at.x + at.width / 2, at.y + at.height / 2, { zoom: READABLE });
      else void flow.fitView({ maxZoom: 1, padding: 0.04 });
      if (fit < WHOLE && at && at.x < host.clientWidth / 2) void flow.setViewport({ x: 12, y: host.clientHeight / 2 - (at.y + at.height / 2) * READABLE, zoom: READABLE });
    });
    return () => cancelAnimationFrame(frame);
    // Only a new shape moves the view.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [flow, shape]);

  const onKeyDown = useCallback(
    (event: KeyboardEvent) => {
      if (!layout) return;
      const next = step(event.key, selected, view, layout);
      if (next) {
        event.preventDefault();
        onSelect(next);
        const box = layout[next];
        if (box) void flow.setCenter(box.x + box.width / 2, box.y + box.height / 2, { zoom: Math.max(flow.getZoom(), 0.6), duration: 0 });
      } else if (event.key === "Escape") onSelect("");
      else if (event.key === "Enter" || event.key === "f") {
        const node = view.nodes.find(({ id }) => id === selected);
        // Enter opens a folded pipeline, f folds the one that the task is in.
        const group = event.key === "Enter" ? (node?.kind === "group" ? node.id : undefined) : node?.parent;
        if (group) onFold?.(group);
      }
    },
    [layout, selected, view, onSelect, onFold, flow],
  );

  if (!layout) return <Loading rows={1} height={typeof height === "number" ? height : 420} />;
  const chosen = view.nodes.find((node) => node.id === selected);
  return (
    <div className="graph" ref={element} style={{ height: `min(${typeof height === "number" ? `${height}px` : height}, ${Math.max(240, Math.round(box.height) + 90)}px)` }} role="application" aria-label={`${label}; arrow keys move between ${view.nodes.length} nodes`} tabIndex={0} onKeyDown={onKeyDown} data-testid="graph">
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={nodeTypes}
        colorMode={theme}
        nodesDraggable={false}
        nodesConnectable={false}
        edgesFocusable={false}
        nodesFocusable={false}
        disableKeyboardA11y
        onlyRenderVisibleElements={view.nodes.length > 120}
        minZoom={0.08}
        maxZoom={2}
        onPaneClick={() => onSelect("")}
        zoomOnScroll={false}
        panOnScroll={false}
        preventScrolling={false}
        proOptions={{ hideAttribution: true }}
      >
        <Background variant={BackgroundVariant.Dots} gap={22} size={1} />
        <Controls showInteractive={false} />
        {view.nodes.length >= MINIMAP_FROM && <MiniMap pannable zoomable nodeClassName={(node) => `tone-${look((node.data as Partial<Data>).node?.state ?? "").tone}`} />}
      </ReactFlow>
      <span className="visually-hidden" role="status">
        {chosen ? `${chosen.label}${chosen.state ? `, ${look(chosen.state).word}` : ""}` : ""}
      </span>
    </div>
  );
}

function TaskNode({ data }: NodeProps<Node<Data>>) {
  const { node, selected, critical, onSelect, onFold } = data;
  const { tone, word } = look(node.state ?? "");
  return (
    <div
      className={`task-node ${node.state ? `tone-${tone}` : ""} ${selected ? "selected" : ""} ${critical ? "critical" : ""} kind-${node.kind}`}
      onClick={() => (node.kind === "group" && onFold ? onFold(node.id) : onSelect(node.id))}
      title={`${node.label}${node.state ? `: ${word}` : ""}`}
      data-task={node.id}
      data-state={node.state}
    >
      <Handle type="target" position={Position.Left} isConnectable={false} />
      <span className="shape">{node.state ? <StateShape state={node.state} /> : <Icon name={node.kind === "dataset" ? "datasets" : node.kind === "model" ? "models" : node.kind === "group" ? "right" : "runs"} size={14} />}</span>
      <span className="clip">
        <span className="clip name">{node.label}</span>
        <span className="clip soft small">{node.state ? `${word} · ${node.detail}` : node.detail}</span>
      </span>
      <Handle type="source" position={Position.Right} isConnectable={false} />
    </div>
  );
}

function Frame({ data }: NodeProps<Node<GroupData>>) {
  return (
    <div className="frame-node">
      <button type="button" className="nodrag nopan" tabIndex={-1} onClick={() => data.onFold?.(data.group.id)} title={`fold ${data.group.label}`}>
        <Icon name="down" size={12} /> {data.group.label}
      </button>
    </div>
  );
}
