"""The API test of the cars application. BASE_URL says where it runs: BASE_URL=http://… pytest"""
import os
import uuid

import pytest
import requests

BASE_URL = os.environ.get("BASE_URL", "http://127.0.0.1:8000").rstrip("/")
JOURNEYS = range(16)
READS = 5


@pytest.fixture
def customer():
    """One customer: one cookie jar."""
    with requests.Session() as session:
        session.auth = ("eric", "testqxf2")
        session.trust_env = False
        yield session


@pytest.fixture
def car():
    return {"name": "car-" + uuid.uuid4().hex[:8], "brand": "Hyundai",
            "price_range": "8-14 lacs", "car_type": "hatchback"}


def names(customer, path, key):
    response = customer.get(BASE_URL + path, timeout=10)
    assert response.status_code == 200
    return [car["name"] for car in response.json()[key]]


def test_a_stranger_is_refused():
    assert requests.get(BASE_URL + "/cars", timeout=10).status_code == 401


@pytest.mark.parametrize("journey", JOURNEYS)
def test_an_added_car_is_in_the_list(customer, car, journey):
    before = names(customer, "/cars", "cars_list")
    assert customer.post(BASE_URL + "/cars/add", json=car, timeout=10).json()["successful"]
    seen = [car["name"] in names(customer, "/cars", "cars_list") for _ in range(READS)]
    assert car["name"] not in before
    assert all(seen), "%s is missing from %d of %d lists" % (
        car["name"], seen.count(False), READS)


@pytest.mark.parametrize("journey", JOURNEYS)
def test_a_registered_car_stays_registered(customer, car, journey):
    before = names(customer, "/register/", "registered")
    assert customer.post(BASE_URL + "/register/car", json=car, timeout=10).json()["successful"]
    seen = [car["name"] in names(customer, "/register/", "registered") for _ in range(READS)]
    assert car["name"] not in before
    assert all(seen), "%s is missing from %d of %d lists" % (
        car["name"], seen.count(False), READS)
