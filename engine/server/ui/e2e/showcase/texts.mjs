// An author's notes, made of sentences so that there are as many as a picture needs.

const TOPICS = ["The warp before the weft", "On dyeing with madder", "A loom is a calendar", "Selvedges", "Why I keep the offcuts", "Tension", "Reading a draft", "The shuttle's two journeys", "Wool in winter", "What a sett decides", "Mending in public", "Twill, slowly", "A letter to a beginner", "Counting threads aloud"];
const OPENINGS = ["I learnt this the slow way.", "Nobody tells you this when you buy your first loom.", "It took me three winters to believe it.", "My teacher said it once and never again."];
const SENTENCES = [
  "The warp carries every mistake you were too tired to undo.",
  "A thread that is slack on Monday is a wave in the cloth by Friday.",
  "I keep a notebook beside the loom, and most of what is in it is wrong by the next page.",
  "Madder gives its red late, after you have stopped hoping for it.",
  "You can hear a well set reed; it clicks where a bad one scrapes.",
  "Counting aloud is not for beginners only: it is how the hands learn what the eyes have seen.",
  "The edge tells the truth about the middle.",
  "Wool forgives and linen remembers.",
  "When a pattern goes wrong I unpick to the last pick that I trust, and not one further.",
  "An offcut is a letter from an older self.",
  "There is a kind of patience that is only stubbornness with better posture.",
  "I have stopped asking how long a blanket takes, and started to ask which months it will hold.",
  "The draft is a score: it can be played badly by people who read it perfectly.",
  "On cold mornings the shuttle is slower, or I am.",
  "What looks like symmetry is two mistakes that met in the middle.",
  "Every tool here has been repaired by somebody who did not know how.",
];

/** The `n`th note as Markdown; `edition` changes its last paragraph. */
export function note(n, edition = 0) {
  const pick = (list, at) => list[((at % list.length) + list.length) % list.length];
  const paragraph = (at, length) => Array.from({ length }, (_, line) => pick(SENTENCES, n * 5 + at * 3 + line * (n % 4 === 0 ? 3 : 5))).join(" ");
  const title = `${pick(TOPICS, n)}${n >= TOPICS.length ? `, ${Math.floor(n / TOPICS.length) + 1}` : ""}`;
  return `# ${title}\n\n${pick(OPENINGS, n)} ${paragraph(0, 4)}\n\n${paragraph(1, 5)}\n\n## What I do now\n\n${paragraph(2, 4)}\n\n${paragraph(3 + edition, 5)}\n`;
}
