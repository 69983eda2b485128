// What was typed against what there is: each word must occur; whole beginnings first, then early places, then short texts.

export function score(text: string, query: string): number | null {
  const hay = text.toLowerCase();
  let sum = 0;
  for (const word of query.toLowerCase().split(/\s+/).filter(Boolean)) {
    const at = hay.indexOf(word);
    if (at < 0) return null;
    const starts = at === 0 || /[^a-z0-9]/.test(hay[at - 1] ?? "");
    sum += (starts ? 0 : 40) + Math.min(at, 30);
  }
  return sum + hay.length / 100;
}

export function rank<T>(items: T[], query: string, text: (item: T) => string): T[] {
  if (!query.trim()) return items;
  return items
    .map((item, index) => ({ item, index, score: score(text(item), query) }))
    .filter((one): one is typeof one & { score: number } => one.score !== null)
    .sort((a, b) => a.score - b.score || a.index - b.index)
    .map(({ item }) => item);
}
