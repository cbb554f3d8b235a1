//! A platform of straw: keeps orders, products and events as the real ones do, and gives
//! them out page by page. It can be told to go wrong, once for each next question.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

/// What goes wrong with the next question.
#[derive(Debug, Clone)]
pub enum Fault {
    /// This one is answered well.
    None,
    /// 429, with or without saying how long.
    Busy(Option<&'static str>),
    /// Another status.
    Status(u16),
    /// The body ends in the middle, and so does the connection.
    BreakOff,
    /// The body ends in the middle, and says that it is whole.
    Truncated,
    /// A page in words for people.
    Page,
    /// The items in another order, each twice.
    Shuffled,
    /// The next page is somewhere else.
    Elsewhere,
    /// It never answers.
    Hang,
}

/// What happens between two answers: to the orders, after so many.
pub type Meanwhile = Box<dyn FnMut(&mut Vec<Value>, usize) + Send>;

/// What a platform holds.
#[derive(Default)]
pub struct World {
    /// Orders by what the platform sorts by.
    pub orders: Vec<Value>,
    pub products: Vec<Value>,
    pub events: Vec<Value>,
    /// Whatever else is asked for, by path.
    pub things: BTreeMap<String, Value>,
    pub faults: VecDeque<Fault>,
    /// Everything that was asked, method, path and query.
    pub asked: Vec<String>,
    /// The headers that proved who asked.
    pub proofs: Vec<String>,
    /// Items of one page.
    pub per_page: usize,
    /// Done to the world after each answer: what happens meanwhile.
    pub meanwhile: Option<Meanwhile>,
}

#[derive(Clone)]
pub struct Mock {
    world: Arc<Mutex<World>>,
    pub base: String,
}

impl Mock {
    /// Answers until the test ends.
    pub async fn start() -> Mock {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let world = World {
            per_page: 2,
            ..World::default()
        };
        let mock = Mock {
            world: Arc::new(Mutex::new(world)),
            base,
        };
        let router = Router::new().fallback(answer).with_state(mock.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        mock
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub fn go_wrong(&self, faults: impl IntoIterator<Item = Fault>) {
        self.world().faults.extend(faults);
    }

    /// What was asked since the last look.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.world().asked)
    }
}

/// A question, read.
struct Question {
    path: String,
    query: BTreeMap<String, String>,
    body: Value,
}

impl Question {
    fn of(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }
}

async fn answer(State(mock): State<Mock>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let question = Question {
        path: head.uri.path().to_owned(),
        query: url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    let fault = {
        let mut world = mock.world();
        world.asked.push(format!("{} {}", head.method, head.uri));
        world.proofs.push(proof(&head.headers));
        world.faults.pop_front().unwrap_or(Fault::None)
    };
    if let Fault::Hang = fault {
        std::future::pending::<()>().await;
    }
    let mut world = mock.world();
    let (status, mut headers, mut body) = found(&question, &world, &mock.base);
    let count = world.asked.len();
    if let Some(mut meanwhile) = world.meanwhile.take() {
        meanwhile(&mut world.orders, count);
        world.meanwhile = Some(meanwhile);
    }
    drop(world);
    match fault {
        Fault::None | Fault::Hang => {}
        Fault::Busy(wait) => {
            let mut response = Response::builder().status(429);
            if let Some(wait) = wait {
                response = response.header("retry-after", wait);
            }
            return response.body(Body::empty()).unwrap();
        }
        Fault::Status(status) => {
            let body = Body::from("{}");
            return Response::builder().status(status).body(body).unwrap();
        }
        Fault::Page => {
            let page = Body::from("<html>back soon</html>");
            return Response::builder().status(200).body(page).unwrap();
        }
        Fault::BreakOff => {
            let text = body.to_string();
            let half = Bytes::from(text[..text.len() / 2].to_owned());
            let broken = std::io::Error::other("broken off");
            let stream = futures_util::stream::iter([Ok(half), Err(broken)]);
            return Response::new(Body::from_stream(stream));
        }
        Fault::Truncated => {
            let text = body.to_string();
            return Response::new(Body::from(text[..text.len() / 2].to_owned()));
        }
        Fault::Shuffled => shuffle(&mut body),
        Fault::Elsewhere => {
            headers.retain(|(name, _)| *name != "link");
            let link = "<http://elsewhere.example/orders.json?page_info=x>; rel=\"next\"";
            headers.push(("link", link.to_owned()));
        }
    }
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(name, value);
    }
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    response.body(body).unwrap()
}

fn proof(headers: &HeaderMap) -> String {
    ["authorization", "x-shopify-access-token", "x-auth-token"]
        .iter()
        .filter_map(|name| headers.get(*name))
        .map(|value| value.to_str().unwrap().to_owned())
        .collect()
}

/// Whatever list is in it: backwards, and everything twice.
fn shuffle(body: &mut Value) {
    let list = match body {
        Value::Array(list) => list,
        Value::Object(map) => {
            let Some(Value::Array(list)) = map.values_mut().find(|one| one.is_array()) else {
                return;
            };
            list
        }
        _ => return,
    };
    let again = list.clone();
    list.extend(again);
    list.reverse();
}

type Answered = (StatusCode, Vec<(&'static str, String)>, Value);

fn fine(headers: Vec<(&'static str, String)>, body: Value) -> Answered {
    (StatusCode::OK, headers, body)
}

fn found(question: &Question, world: &World, base: &str) -> Answered {
    if let Some(thing) = world.things.get(&question.path) {
        return fine(Vec::new(), thing.clone());
    }
    let path = question.path.as_str();
    if path.ends_with("/orders.json") {
        return shopify_orders(question, world, base);
    }
    if path.ends_with("/graphql.json") {
        return shopify_products(question, world);
    }
    match path {
        "/wp-json/wc/v3/orders" => woo(question, &world.orders, world.per_page),
        "/wp-json/wc/v3/products" => woo(question, &world.products, world.per_page),
        "/v1/events" => stripe_events(question, world),
        _ if path.ends_with("/v2/orders") => bigcommerce_orders(question, world),
        _ => (StatusCode::NOT_FOUND, Vec::new(), json!({})),
    }
}

fn shopify_orders(question: &Question, world: &World, base: &str) -> Answered {
    let (since, from) = match question.of("page_info") {
        Some(cursor) => {
            let (since, from) = cursor.split_once('|').unwrap();
            (since.to_owned(), from.parse().unwrap())
        }
        None => (
            question.of("updated_at_min").unwrap_or_default().to_owned(),
            0,
        ),
    };
    let since: jiff::Timestamp = since.parse().unwrap_or(jiff::Timestamp::MIN);
    let mut all: Vec<&Value> = world
        .orders
        .iter()
        .filter(|order| {
            let at: jiff::Timestamp = order["updated_at"].as_str().unwrap().parse().unwrap();
            at >= since
        })
        .collect();
    all.sort_by_key(|order| order["updated_at"].as_str().unwrap().to_owned());
    let page: Vec<&Value> = all
        .iter()
        .skip(from)
        .take(world.per_page)
        .copied()
        .collect();
    let mut headers = vec![("x-shopify-shop-api-call-limit", "1/40".to_owned())];
    if from + page.len() < all.len() {
        let cursor = format!("{since}|{}", from + world.per_page);
        let cursor: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
        let next = format!("{base}{}?page_info={cursor}&limit=50", question.path);
        headers.push(("link", format!("<{next}>; rel=\"next\"")));
    }
    fine(headers, json!({ "orders": page }))
}

fn shopify_products(question: &Question, world: &World) -> Answered {
    let variables = &question.body["variables"];
    let from: usize = variables["after"]
        .as_str()
        .map_or(0, |cursor| cursor.parse().unwrap());
    let page: Vec<&Value> = world
        .products
        .iter()
        .skip(from)
        .take(world.per_page)
        .collect();
    let end = from + page.len();
    let body = json!({ "data": { "products": {
        "pageInfo": { "hasNextPage": end < world.products.len(), "endCursor": end.to_string() },
        "nodes": page,
    }}});
    fine(Vec::new(), body)
}

/// Sorted by when they changed, cut into pages by number: what changes moves to the end.
fn woo(question: &Question, all: &[Value], per_page: usize) -> Answered {
    let after = question.of("modified_after").unwrap_or_default();
    let mut all: Vec<&Value> = all
        .iter()
        .filter(|one| one["date_modified_gmt"].as_str().unwrap() > after)
        .collect();
    all.sort_by_key(|one| one["date_modified_gmt"].as_str().unwrap().to_owned());
    let number: usize = question.of("page").unwrap().parse().unwrap();
    let pages = all.len().div_ceil(per_page);
    let page: Vec<&Value> = all
        .into_iter()
        .skip((number - 1) * per_page)
        .take(per_page)
        .collect();
    let headers = vec![("x-wp-totalpages", pages.to_string())];
    fine(headers, json!(page))
}

/// Newest first.
fn stripe_events(question: &Question, world: &World) -> Answered {
    let since: i64 = question
        .of("created[gte]")
        .map_or(0, |text| text.parse().unwrap());
    let mut all: Vec<&Value> = world
        .events
        .iter()
        .filter(|event| event["created"].as_i64().unwrap() >= since)
        .collect();
    all.sort_by_key(|event| std::cmp::Reverse(event["created"].as_i64().unwrap()));
    let from = question.of("starting_after").map_or(0, |last| {
        1 + all.iter().position(|event| event["id"] == last).unwrap()
    });
    let page: Vec<&Value> = all
        .iter()
        .skip(from)
        .take(world.per_page)
        .copied()
        .collect();
    let more = from + page.len() < all.len();
    fine(
        Vec::new(),
        json!({ "object": "list", "data": page, "has_more": more }),
    )
}

fn bigcommerce_orders(question: &Question, world: &World) -> Answered {
    if question.of("page") != Some("1") || world.orders.is_empty() {
        return (StatusCode::NO_CONTENT, Vec::new(), Value::Null);
    }
    fine(Vec::new(), json!(world.orders))
}
