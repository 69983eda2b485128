import { blocks, type Block } from "../lib/card";
import { Words } from "../ui/Words";

/** A model card, as far as Markdown goes in one. */
export function Card({ text }: { text: string }) {
  return (
    <div className="why card" tabIndex={0} role="region" aria-label="card">
      {blocks(text).map((block, index) => (
        <One key={index} block={block} />
      ))}
    </div>
  );
}

function One({ block }: { block: Block }) {
  if (block.kind === "heading") return <h3>{block.text}</h3>;
  if (block.kind === "code") return <pre>{block.text}</pre>;
  if (block.kind === "text") return <p><Words text={block.text} /></p>;
  if (block.kind === "list") {
    return (
      <ul>
        {block.items.map((item, index) => (
          <li key={index}>
            <Words text={item} />
          </li>
        ))}
      </ul>
    );
  }
  return (
    <table>
      <thead>
        <tr>
          {block.head.map((cell, index) => (
            <th key={index} scope="col">{cell}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {block.rows.map((row, index) => (
          <tr key={index}>
            {row.map((cell, at) => (
              <td key={at}>
                <Words text={cell} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
