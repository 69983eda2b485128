//! How the page looks: light and dark, on paper and on a telephone.

/// The style sheet. Colours keep a contrast of 4.5 to 1 for text and 3 to 1 for bars in both schemes.
pub(super) const STYLE: &str = "
:root{--paper:#fff;--ink:#1d2330;--soft:#5a6272;--rule:#d9dde5;--tint:#f4f6f9;--good:#14713d;--bad:#b3261e;
--candidate:#2457c5;--base:#8a93a5;--production:#0f7c83;--author:#8f5b10;--line:#1d2330}
@media(prefers-color-scheme:dark){:root{--paper:#14171d;--ink:#e7eaf0;--soft:#a3abba;--rule:#343b48;--tint:#1c2129;
--good:#5fd190;--bad:#ff8a80;--candidate:#7da6ff;--base:#8791a3;--production:#4cc4cb;--author:#e0a95a;--line:#e7eaf0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI',sans-serif}
main{max-width:860px;margin:0 auto;padding:40px 24px 80px}
h1{font-size:2.1rem;line-height:1.2;margin:0 0 12px;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:0 0 4px}h3{font-size:1rem;margin:0 0 10px}h4{font-size:.8rem;margin:0 0 4px;color:var(--soft);
text-transform:uppercase;letter-spacing:.06em}
.kicker{margin:0;color:var(--soft);font-size:.8rem;letter-spacing:.08em;text-transform:uppercase}
.verdict{display:inline-block;margin:0 0 12px;padding:6px 14px;border:2px solid;border-radius:999px;font-weight:600}
.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}
.note{padding:10px 14px;border-left:4px solid var(--author);background:var(--tint)}
.about{margin:0 0 14px;color:var(--soft)}
section{margin-top:36px;padding-top:24px;border-top:1px solid var(--rule)}
table{width:100%;border-collapse:collapse;font-size:.92rem}
th,td{padding:7px 10px 7px 0;border-bottom:1px solid var(--rule);text-align:left;vertical-align:top;font-weight:400}
thead th{color:var(--soft);font-size:.8rem;font-weight:600}.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
figure{margin:18px 0}figcaption{font-weight:600;font-size:.92rem;margin-bottom:2px}
svg{display:block;width:100%;height:auto}svg text{fill:var(--ink);font:13px system-ui,sans-serif}
.label{text-anchor:end}.tick.end{text-anchor:end}.axis,.grid{stroke:var(--rule);stroke-width:1}
.bar{fill:var(--base)}.bar.candidate{fill:var(--candidate)}.bar.production{fill:var(--production)}.bar.author{fill:var(--author)}
.threshold{stroke:var(--bad);stroke-width:2;stroke-dasharray:4 3;fill:none}.interval{stroke:var(--line);stroke-width:2;fill:none}.line{stroke:var(--candidate);stroke-width:2.5;fill:none}.dot{fill:var(--candidate)}
details{margin:6px 0}summary{cursor:pointer;color:var(--soft);font-size:.88rem}
.sample{margin:18px 0;padding:16px;border:1px solid var(--rule);border-radius:10px}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:16px}
.columns>div{border-top:3px solid var(--base);padding-top:8px}.columns>.candidate{border-color:var(--candidate)}
.columns>.production{border-color:var(--production)}.columns>.author{border-color:var(--author)}
.columns p,blockquote{white-space:pre-wrap;overflow-wrap:anywhere;margin:0;font-size:.92rem}
pre{overflow:auto;padding:12px;background:var(--tint);border-radius:8px;font-size:.82rem}code{font-size:.9em;overflow-wrap:anywhere}th code,td.good,td.bad{white-space:nowrap}
@media(max-width:640px){main{padding:20px 14px}th,td{padding-right:8px}}
@media print{details{display:none}section,.sample{break-inside:avoid}}
";
