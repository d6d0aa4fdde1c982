"""A client of docs/serve.md: the official OpenAI SDK, which knows nothing of Tokenergy.

OPENAI_BASE_URL=http://127.0.0.1:8088/v1 OPENAI_API_KEY=tk-... python examples/serve_client.py
"""

from openai import OpenAI

client = OpenAI()  # address and key come from the environment
print("models:", ", ".join(sorted(model.id for model in client.models.list())))

answer = client.chat.completions.with_raw_response.create(
    model="large",
    messages=[{"role": "user", "content": "Why is the sky blue?"}],
    max_tokens=24,
)
told = answer.headers
print(answer.parse().choices[0].message.content)
print("at", told["x-tokenergy-site"], "because", told["x-tokenergy-reason"])
print(told["x-tokenergy-joules"], "J,", told["x-tokenergy-cost-usd"], "USD at the margin")

with client.chat.completions.create(
    model="large",
    messages=[{"role": "user", "content": "And red in the evening?"}],
    max_tokens=24,
    stream=True,
) as stream:
    print("".join(chunk.choices[0].delta.content or "" for chunk in stream))
