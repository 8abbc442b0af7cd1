"""How the tests call the gateway."""

from tests.simulators.wire_client import Answer, Client

V31 = "/api/v3.1"
DEALS = "https://api.hubapi.com/crm/v3/objects/deals"
ORG = "https://acme.my.salesforce.com/services/data/v67.0"
DEAL = {"dealname": "X", "dealstage": "closedwon"}


def proxy(gateway: Client, account: str, method: str, endpoint: str, **more: object) -> Answer:
    body = {"connected_account_id": account, "method": method, "endpoint": endpoint, **more}
    return gateway.post(f"{V31}/tools/execute/proxy", body)


def run(gateway: Client, account: str, slug: str, **arguments: object) -> Answer:
    body = {"connected_account_id": account, "version": "20260915_00", "arguments": arguments}
    return gateway.post(f"{V31}/tools/execute/{slug}", body)


def refusal(answer: Answer) -> tuple[int, object]:
    return answer.status, answer.doc["error"]["code"]
