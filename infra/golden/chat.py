"""Conversations rendered by transformers through short templates, each with the features that a family's own has.

    PEERS_PYTHON infra/golden/chat.py [OUT_DIR]

Writes chat.json: template, tokens, turns, tools, the rendered text or the refusal, and the marked answers.
"""
import json
import sys
from datetime import datetime
from pathlib import Path

from transformers.utils import chat_template_utils

OUT = Path(__file__).resolve().parents[2] / "operators/torch/tests/golden"
NOW = "2025-03-04T15:06:07"

# Turns by role tags; a system turn of its own where none is given; marks of answers.
CHATML = """
{%- for message in messages %}
    {%- if loop.first and message.role != 'system' %}
        {{- '<|im_start|>system\\nBe brief.<|im_end|>\\n' }}
    {%- endif %}
    {%- if message.role == 'assistant' %}
        {{- '<|im_start|>assistant\\n' }}
        {%- generation %}{{- message.content + '<|im_end|>' }}{%- endgeneration %}
        {{- '\\n' }}
    {%- else %}
        {{- '<|im_start|>' + message.role + '\\n' + message['content'] + '<|im_end|>\\n' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""

# A date, a slice of the turns, tools as indented JSON, one call at a time, replies of any type.
DATED = """{{- bos_token -}}
{%- set today = date_string if date_string is defined else strftime_now("%d %b %Y, %H:%M") -%}
{%- set told = messages[0].content|trim if messages[0]['role'] == 'system' else "" -%}
{%- set turns = messages[1:] if told else messages -%}
{{- "(system) Today: " ~ today ~ "\\n" ~ told ~ "#" -}}
{%- if tools is not none -%}
    {%- if turns | length == 0 -%}{{- raise_exception("nobody asks") -}}{%- endif -%}
    {%- for tool in tools -%}{{- tool | tojson(indent=4) ~ "\\n" -}}{%- endfor -%}
{%- endif -%}
{%- for turn in turns -%}
    {%- if 'tool_calls' in turn -%}
        {%- if not turn.tool_calls|length == 1 -%}{{- raise_exception("one call at a time") -}}{%- endif -%}
        {%- set wanted = turn.tool_calls[0].function -%}
        {{- '(call) {"' ~ wanted.name ~ '": ' -}}{{- wanted.arguments | tojson -}}{{- "}#" -}}
    {%- elif turn.role in ['tool', 'ipython'] -%}
        {%- if turn.content is mapping or turn.content is iterable and turn.content is not string -%}
            {{- '(reply) ' ~ turn.content | tojson -}}
        {%- else -%}{{- '(reply) ' + turn.content -}}{%- endif -%}
    {%- else -%}{{- '(' + turn['role'] + ') ' + turn['content'] | trim + '#' -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '(assistant) ' -}}{%- endif -%}
"""

# A count kept across the loop, turns that must take turns, the system's text put into the last question.
STRICT = """{%- set seen = namespace(turns=0, told='') -%}
{{- bos_token -}}
{%- for turn in messages -%}
    {%- if loop.first and turn.role == "system" -%}
        {%- set seen.told = turn.content ~ "\\n" -%}
    {%- else -%}
        {%- if (turn.role == "user") != (seen.turns % 2 == 0) -%}
            {{- raise_exception("it is not the turn of " ~ turn.role) -}}
        {%- endif -%}
        {%- set seen.turns = seen.turns + 1 -%}
        {%- if turn.role == "user" -%}
            {{- "<ask>" + (seen.told if loop.last else "") + turn["content"] + "</ask>" -}}
        {%- elif turn.role == "assistant" -%}{{- " " + turn["content"]|trim + eos_token -}}
        {%- endif -%}
    {%- endif -%}
{%- endfor -%}
"""

# Blocks on lines of their own without dashes, a role by another name, no system turn.
BLOCKS = """{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn here') }}{% endif %}
{% for turn in messages %}
    {% if turn['role'] == 'assistant' %}
        {% set speaker = 'writer' %}
    {% else %}
        {% set speaker = turn['role'] %}
    {% endif %}
{{ '<turn ' + speaker + '>\\n' + turn['content'] | trim + '</turn>\\n' }}
{% endfor %}
{% if add_generation_prompt %}
{{'<turn writer>\\n'}}
{% endif %}
"""

# A search from the end, thoughts cut out of answers before the last question, neighbours looked at, a switch.
THOUGHTS = """
{%- set found = namespace(asked=-1, open=true) -%}
{%- for turn in messages[::-1] -%}
    {%- if found.open and turn.role == "user" and turn.content is string and not turn.content.startswith('<reply>') -%}
        {%- set found.open = false -%}{%- set found.asked = messages|length - loop.index -%}
    {%- endif -%}
{%- endfor -%}
{%- if tools -%}
    {{- "tools:" -}}{%- for tool in tools -%}{{- "\\n" -}}{{- tool | tojson -}}{%- endfor -%}{{- "\\n" -}}
{%- endif -%}
{%- for turn in messages -%}
    {%- set said = turn.content if turn.content is string else '' -%}
    {%- if turn.role == "assistant" -%}
        {%- set thought = '' -%}
        {%- if turn.reasoning_content is string -%}{%- set thought = turn.reasoning_content -%}
        {%- elif '</think>' in said -%}
            {%- set thought = said.split('</think>')[0].split('<think>')[-1].strip('\\n') -%}
            {%- set said = said.split('</think>')[-1].lstrip('\\n') -%}
        {%- endif -%}
        {{- '<writer>' -}}
        {%- if loop.index0 > found.asked and (loop.last or thought) -%}{{- '(' + thought + ') ' -}}{%- endif -%}
        {{- said -}}
        {%- if turn.tool_calls -%}
            {%- for call in turn.tool_calls -%}
                {%- if (loop.first and said) or not loop.first -%}{{- '\\n' -}}{%- endif -%}
                {%- set call = call.function if call.function else call -%}
                {{- call.name ~ ' ' -}}
                {{- call.arguments if call.arguments is string else call.arguments | tojson -}}
            {%- endfor -%}
        {%- endif -%}
        {{- '</writer>\\n' -}}
    {%- elif turn.role == "tool" -%}
        {%- if loop.first or loop.previtem.role != "tool" -%}{{- '<replies>' -}}{%- endif -%}
        {{- '<reply>' ~ said.rstrip() ~ '</reply>' -}}
        {%- if loop.last or messages[loop.index0 + 1].role != "tool" -%}{{- '</replies>\\n' -}}{%- endif -%}
    {%- else -%}{{- '<' ~ turn.role ~ '>' ~ said ~ '</' ~ turn.role ~ '>\\n' -}}{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
    {{- '<writer>' -}}
    {%- if enable_thinking is defined and enable_thinking is false -%}{{- '() ' -}}{%- endif -%}
{%- endif -%}
"""

# What else templates use: macros, breaks, filters, maps, constants, methods.
REST = """{%- macro turn(role, text='nothing') -%}[{{ role|upper }}: {{ text }}]{%- endmacro -%}
{%- for message in messages -%}
    {%- if message.content == 'stop' -%}{%- break -%}{%- endif -%}
    {%- if message.role == 'tool' -%}{%- continue -%}{%- endif -%}
    {{- turn(message.role, message.content) }}{{ turn('x') -}}
{%- endfor %}
{{ messages | map(attribute='role') | unique | join(',') }}
{{ messages | selectattr('role', 'equalto', 'user') | list | length }} {{ (messages | rejectattr('role', 'equalto', 'user') | first).role }}
{% for key, value in messages[0].items() %}{{ key }}={{ value }};{% endfor %} {{ messages[0].get('name', 'no name') }}
{{ true }} {{ false }} {{ none }} {{ 1.0 }} {{ 7 // 2 }} {{ 7 % 3 }} {{ 'a' ~ 1 }} {{ undefined_thing }}
{{ 'one two  three'.split() | join('|') }} {{ ' x '.strip() }} {{ 'ab'.replace('a', 'b') }} {{ 'title me'.title() }} {{ 'x' in ['x'] }}
{{ {'b': 1, 'a': [1, 2, {}], 'é': 'ü"<&>'} | tojson }} {{ {'b': 1, 'a': 2} | tojson(sort_keys=true) }} {{ 'é' | tojson(ensure_ascii=true) }}
{{ [1, {'a': []}] | tojson(indent=2) }} {{ {'a': [1, 2]} | tojson(separators=(',', ':')) }} {{ dict(a=1) | tojson }}
{{ messages[-1].content if messages|length > 1 else 'one' }} {{ range(3) | list | tojson }} {{ 'x' if messages is sequence }}
    {% generation %}
  marked {{ messages[0].content }}
    {% endgeneration %}
after
"""

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}
SYSTEM = {"role": "system", "content": " Speak plainly. "}
ASK = {"role": "user", "content": "  What is 2 + 2?\n"}
ANSWER = {"role": "assistant", "content": "<think>\nadd\n</think>\n\nIt is 4. \n"}
AGAIN = {"role": "user", "content": "Größe & <b>数</b>?"}
CALL = {"role": "assistant", "content": "Let me look.", "tool_calls": [
    {"type": "function", "function": {"name": "weather", "arguments": {"town": "Zürich", "days": 2, "exact": True}}}]}
REPLY = {"role": "tool", "name": "weather", "content": "rain"}
TOOL = {"type": "function", "function": {"name": "weather", "description": "Tells it's \"weather\" <now>", "parameters": {
    "type": "object", "properties": {"town": {"type": "string"}, "days": {"type": "integer"}}, "required": ["town"]}}}
CONVERSATIONS = {
    "one": ([ASK], [], {}),
    "open": ([SYSTEM, ASK, ANSWER, AGAIN], [], {"add_generation_prompt": True}),
    "whole": ([ASK, ANSWER, AGAIN, ANSWER], [], {}),
    "tools": ([SYSTEM, ASK, CALL, REPLY, REPLY, ANSWER], [TOOL], {"add_generation_prompt": True}),
    "switch": ([ASK], [], {"add_generation_prompt": True, "enable_thinking": False, "date_string": "1 May 2024"}),
    "twice": ([ASK, AGAIN], [], {}),
}
# In the manner of ChatML, Llama 3, Mistral, Gemma and Qwen3.
TEMPLATES = {"chatml": CHATML, "dated": DATED, "strict": STRICT, "blocks": BLOCKS, "thoughts": THOUGHTS, "rest": REST}


class Fixed(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromisoformat(NOW)


def main(out: Path) -> None:
    chat_template_utils.datetime = Fixed
    cases = []
    for family, template in TEMPLATES.items():
        for name, (messages, tools, variables) in CONVERSATIONS.items():
            case = {"name": f"{family}, {name}", "family": family, "messages": messages, "tools": tools,
                    "variables": variables}
            try:
                texts, marks = chat_template_utils.render_jinja_template(
                    [messages], tools=tools or None, chat_template=template,
                    return_assistant_tokens_mask="generation" in template, **TOKENS, **variables)
                case["text"] = texts[0]
                case["answers"] = [texts[0][start:end] for start, end in (marks[0] if marks else [])]
            except Exception as error:  # whatever a template raises is its refusal
                case["refusal"] = str(error)
            cases.append(case)
    golden = {"now": NOW, "tokens": TOKENS, "templates": TEMPLATES, "cases": cases}
    path = out / "chat.json"
    path.write_text(json.dumps(golden, ensure_ascii=False, indent=1) + "\n")
    print(path.name, path.stat().st_size, len(cases), sum("refusal" in case for case in cases))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else OUT)
