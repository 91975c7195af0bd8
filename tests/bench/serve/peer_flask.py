"""gunicorn peer_flask:app"""

from flask import Flask, jsonify, request

from peer import predict

app = Flask(__name__)


@app.post("/predict")
def post():
    body = request.get_json(force=True)
    return jsonify(project=body["project"], **predict(body["features"]))
