import pytest

from shipper.pipeline.gateways import is_gateway


@pytest.mark.parametrize(
    "fields",
    [
        {"app": "istio-ingressgateway"},
        {"app": "istio-eastwestgateway"},
        {"app": "egressgateway"},
        {"app": "istio-east-west-gateway"},
        {"app": "public-istio"},  # of a Gateway resource
        {"pod": "istio-ingressgateway-7cc46d9596-v8qnt"},
    ],
)
def test_gateways_of_istio(fields: dict[str, str]) -> None:
    assert is_gateway(fields)


@pytest.mark.parametrize("fields", [{"app": "api-gateway"}, {"app": "payment"}, {"pod": "gateway-0"}, {}])
def test_an_application_called_a_gateway_is_none(fields: dict[str, str]) -> None:
    assert not is_gateway(fields)
