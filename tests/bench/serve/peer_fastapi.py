"""uvicorn peer_fastapi:app"""

from fastapi import FastAPI, Request

from peer import predict

app = FastAPI()


@app.post("/predict")
async def post(request: Request):
    body = await request.json()
    return {"project": body["project"], **predict(body["features"])}
