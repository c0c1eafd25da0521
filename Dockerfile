FROM python:3.11-slim

WORKDIR /app
COPY pyproject.toml constraints.txt hatch_build.py README.md LICENSE ./
COPY backend backend
COPY worker worker
COPY frontend frontend
RUN pip install --no-cache-dir --constraint constraints.txt '.[gguf]' \
    && useradd --create-home --uid 1000 trainboard \
    && install --directory --owner=trainboard /data

USER trainboard
ENV TRAINBOARD_HOST=0.0.0.0 TRAINBOARD_DATA_DIR=/data HF_HOME=/data/huggingface
EXPOSE 8000
VOLUME /data
CMD ["trainboard", "serve"]
