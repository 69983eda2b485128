import { layout, type Question } from "./layout";

self.onmessage = ({ data }: MessageEvent<Question>) => self.postMessage({ id: data.id, layout: layout(data.view) });
