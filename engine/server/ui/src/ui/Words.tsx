import { Fragment } from "react";
import { Link } from "wouter";
import { to } from "../lib/address";
import { moment, shortId } from "../lib/format";
import { pieces } from "../lib/words";

/** A sentence of the server: what stands in backticks as code, moments in the viewer's zone, runs as links. */
export function Words({ text }: { text: string }) {
  return (
    <>
      {pieces(text).map(({ kind, text }, index) => {
        if (kind === "code") return <code key={index}>{text}</code>;
        if (kind === "moment") return <time key={index} dateTime={text} title={text}>{moment(text)}</time>;
        if (kind === "run") return <Link key={index} className="mono" href={to.run(text)} title={text}>{shortId(text)}</Link>;
        return <Fragment key={index}>{text}</Fragment>;
      })}
    </>
  );
}
